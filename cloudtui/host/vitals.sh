# Prints what this machine is doing, every $1 seconds until standard input ends.
# One writer for /proc, one for nvidia-smi and one for df: what hangs keeps none of the others.
export LC_ALL=C
every=${1:-2}
exec 3<&0 </dev/null 2>/dev/null
set -f
lines='
'

# A rest that SIGTERM ends
rest() { sleep "$1" >/dev/null & nap=$!; wait $nap; }

# hundredths: of seconds since the machine booted
hundredths() { read -r up </proc/uptime && up=${up%% *} && echo "${up%.*}${up#*.}"; }

# who PID: its owner and its arguments, on one line
who() {
    set -- "$1" $(ls -ld "/proc/$1")
    [ "$4" ] && printf 'c %s %s %s\n' "$1" "$4" "$(tr '\0\n' '  ' <"/proc/$1/cmdline" | cut -c 1-160)"
}

gpus() {
    trap 'kill $nap; exit' TERM
    limit=
    timeout 10 true && limit='timeout 10'
    PATH=$PATH:/usr/bin:/usr/local/bin:/usr/local/nvidia/bin:/opt/bin:/usr/lib/wsl/lib
    if ! command -v nvidia-smi >/dev/null; then
        # Where the login shell has it
        case ${SHELL##*/} in csh|tcsh) flags=-ic ;; *) flags=-lic ;; esac
        smi=$($limit "${SHELL:-/bin/sh}" $flags 'exec /bin/sh -c "command -v nvidia-smi"' | grep '^/' | tail -n 1)
        [ -x "$smi" ] || { echo 'gpus none'; return; }
        PATH=$PATH:${smi%/*}
    fi
    known=' '
    first=yes
    IFS=$lines
    while :; do
        begun=$(hundredths)
        asked='index,uuid,name,utilization.gpu,memory.used,memory.total,temperature.gpu,power.draw,power.limit'
        out=$(IFS=' '; $limit nvidia-smi --query-gpu=$asked --format=csv,noheader,nounits 2>&1)
        text="gpus $?"
        for line in $out; do text="$text${lines}g $line"; done
        if [ "$first" ]; then
            first=
            out=$(IFS=' '; $limit nvidia-smi -L)
            for line in $out; do text="$text${lines}L $line"; done
        fi
        out=$(IFS=' '; $limit nvidia-smi --query-compute-apps=pid,gpu_uuid,used_memory \
            --format=csv,noheader,nounits)
        for line in $out; do
            text="$text${lines}a $line"
            pid=${line%%,*}
            read -r at </proc/uptime && read -r stat <"/proc/$pid/stat" &&
                text="$text${lines}s ${at%% *} $stat"
            case $known in
                *" $pid "*) ;;
                *) known="$known$pid "; text="$text$lines$(IFS=' '; who "$pid")" ;;
            esac
        done
        printf '%s\ngpus.\n' "$text"
        # Where nvidia-smi is slow, as without persistence mode, it is asked less often.
        pause=$(( ($(hundredths) - begun) / 25 ))
        [ "$pause" -gt "$every" ] || pause=$every
        rest "$pause"
    done
}

disks() {
    trap 'kill $nap; exit' TERM
    local=
    df -Pkl / >/dev/null && local=l
    IFS=$lines
    while :; do
        text=disks
        for line in $(df "-Pk$local"); do
            case $line in
                /dev/loop*) ;;
                /dev/*|*' /') text="$text${lines}d $line" ;;
            esac
        done
        printf '%s\ndisks.\n' "$text"
        rest 30
    done
}

if [ ! -r /proc/stat ] || ! command -v awk >/dev/null; then
    echo 'error no /proc or no awk'
    exit 1
fi
hz=$(getconf CLK_TCK || echo 100)
echo "vitals 1 $hz $(getconf PAGESIZE || echo 4096)"
gpus &
children=$!
disks &
children="$children $!"
awk -v every="$every" -v hz="$hz" '
function lines_of(file, tag,    line) {
    while ((getline line < file) > 0) out = out tag line "\n"
    close(file)
}
function most(of, count,    n, best, pid) {
    for (n = 0; n < count; n++) {
        best = 0
        for (pid in of) if (!(pid in chosen) && of[pid] > 0 && (!best || of[pid] > of[best])) best = pid
        if (!best) return
        chosen[best] = 1
    }
}
function processes(now,    line, pid, at, rest, field, ticks, start, cmd, span, new) {
    split("", used); split("", held); split("", chosen); split("", seen)
    span = (now - before) * hz
    cmd = "set +f; cat /proc/[0-9]*/stat"
    while ((cmd | getline line) > 0) {
        if (!match(line, /.*\)/)) continue
        at = index(line, "(")
        pid = line + 0
        rest = substr(line, RLENGTH + 2)
        split(rest, field, " ")
        ticks = field[12] + field[13]
        start[pid] = field[20] ":" substr(line, at + 1, RLENGTH - at - 1)
        seen[pid] = 1
        if (before && span > 0 && born[pid] == field[20]) used[pid] = (ticks - last[pid]) / span
        held[pid] = field[22] + 0
        last[pid] = ticks
        born[pid] = field[20]
    }
    close(cmd)
    for (pid in last) if (!(pid in seen)) { delete last[pid]; delete born[pid]; delete told[pid] }
    before = now
    most(used, 8); most(held, 6)
    new = ""
    for (pid in chosen) {
        line = start[pid]
        sub(/^[^:]*:/, "", line)
        out = out sprintf("p %s %.3f %.0f %s\n", pid, used[pid], held[pid], line)
        if (told[pid] != start[pid]) { told[pid] = start[pid]; new = new " " pid }
    }
    if (new == "") return
    cmd = "for p in" new "; do set -- $(ls -ld /proc/$p); [ \"$3\" ] && " \
        "printf \"c %s %s %s\\n\" $p \"$3\" \"$(tr \"\\\\0\\\\n\" \"  \" </proc/$p/cmdline | cut -c 1-160)\"; done"
    while ((cmd | getline line) > 0) out = out line "\n"
    close(cmd)
}
BEGIN {
    for (turn = 0; ; turn++) {
        getline now < "/proc/uptime"
        close("/proc/uptime")
        out = "@ " now "\n"
        lines_of("/proc/loadavg", "l ")
        cores = 0
        while ((getline line < "/proc/stat") > 0 && line ~ /^cpu/) {
            if (line ~ /^cpu /) out = out line "\n"
            else cores++
        }
        close("/proc/stat")
        out = out "n " cores "\n"
        while ((getline line < "/proc/meminfo") > 0)
            if (line ~ /^(MemTotal|MemFree|MemAvailable|Buffers|Cached|SwapTotal|SwapFree):/) out = out "m " line "\n"
        close("/proc/meminfo")
        while ((getline line < "/proc/diskstats") > 0)
            if (line !~ / (loop|ram|zram|sr|fd|dm-|md)[0-9]/) out = out "b " line "\n"
        close("/proc/diskstats")
        while ((getline line < "/proc/net/dev") > 0)
            if (line ~ /:/ && line !~ /^ *(lo|docker|veth|br-|virbr|cali|cni|flannel)[^:]*:/) out = out "i " line "\n"
        close("/proc/net/dev")
        if (turn < 2 || turn % 2) processes(now + 0)
        printf "%s.\n", out
        fflush()
        system("sleep " every " >/dev/null")
    }
}' &
children="$children $!"
cat <&3 >/dev/null
kill $children
