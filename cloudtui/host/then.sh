# What a run waits for before it starts, and what is done after it: then.sh wait DIR GPUS.SH,
# then.sh after DIR, and then.sh again DIR NEW for the same once more
#
# DIR is the run's folder, as job.sh has it; its `before` and `after` call this, so it belongs to
# the supervisor of the run: who is killed is out of every line, since that process is looked for.
# `wait` ends with 0 when the run's turn has come, and with 1 when it is not to be started, having
# written DIR/why. `after` does the steps of DIR/then one by one.
#
# wait/after     runs to wait for, one a line; wait/any: however they end
# wait/queue     wait until no run is left that was there before it
# wait/gpus      how many GPUs to wait for; DIR/gpus: those it got, as `0,2`, or `0:1` for a MIG device
# wait/for       what it waits for now, in words
# then/cancel    there when no further step is to be done
# then/NN/       text kind when what where computer seal careful: as model/then.py writes them;
#                state: running, fetch, done, failed or skipped; result: a line; log; fetching

umask 077
PATH=$PATH:/usr/local/bin:/usr/sbin:/sbin:$HOME/.local/bin
DIR=$2
ID=${DIR##*/}
RUNS=${DIR%/*}
LINES=$RUNS/.lines
GPUS=$RUNS/.gpus

put() { printf '%s\n' "$2" >"$1.new" && mv -f "$1.new" "$1"; }
text() { if [ -f "$1" ]; then cat "$1"; fi; }
pause() { sleep 0.3 2>/dev/null || sleep 1; }

# Whether the process on record in that file, as PID STARTTIME, is still there.
lives() {
  who='' stat=''
  [ -s "$1" ] && read -r who <"$1"
  [ -n "$who" ] || return 1
  { read -r stat <"/proc/${who%% *}/stat"; } 2>/dev/null || return 1
  set -f
  # shellcheck disable=SC2086
  set -- "${who##* }" ${stat##*) }
  set +f
  [ "$1" = "${21}" ]
}

# Whether the run waits or runs.
alive() {
  [ -d "$1" ] && [ ! -s "$1/ended" ] || return 1
  if [ ! -e "$1/supervisor" ]; then
    # Being made at this moment, or never finished.
    [ -n "$(find "$1" -prune -mmin -1 2>/dev/null)" ]
    return
  fi
  lives "$1/supervisor" || lives "$1/pid"
}

# The exit status of a run in `status`; empty when it has none.
how_it_ended() {
  status=
  [ ! -s "$1/exit" ] || read -r status rest <"$1/exit"
}

# A place in a line: numbers only grow, and `ln` gives each to one run alone.
take_place() {
  line=$LINES/$1
  mkdir -p "$line"
  printf '%s\n' "$ID" >"$DIR/wait/ticket"
  place=0
  for old in "$line"/*; do
    old=${old##*/}
    case $old in '' | *[!0-9]*) continue ;; esac
    if [ "$old" -gt "$place" ]; then place=$old; fi
  done
  while :; do
    place=$((place + 1))
    ln "$DIR/wait/ticket" "$line/$place" 2>/dev/null && break
    [ -e "$line/$place" ] && continue
    (set -C && printf '%s\n' "$ID" >"$line/$place") 2>/dev/null && break
    [ -e "$line/$place" ] || { place=0; return 1; }
  done
  put "$DIR/wait/place.$1" "$place"
  for old in "$line"/*; do
    old=${old##*/}
    case $old in '' | *[!0-9]*) continue ;; esac
    if [ "$old" -lt $((place - 300)) ]; then rm -f "$line/$old"; fi
  done
}

# Whether another is before this run in the line; `ahead` is who.
someone_ahead() {
  for ticket in "$LINES/$1"/*; do
    number=${ticket##*/}
    case $number in '' | *[!0-9]*) continue ;; esac
    [ "$number" -lt "$place" ] && [ -s "$ticket" ] || continue
    ahead=
    read -r ahead <"$ticket"
    its=$(text "$RUNS/$ahead/wait/place.$1")
    if [ -n "$ahead" ] && { [ -z "$its" ] || [ "$its" = "$number" ]; } && "$2" "$ahead"; then
      return 0
    fi
    : >"$DIR/wait/spent" && mv -f "$DIR/wait/spent" "$ticket"
  done
  return 1
}

runs() { alive "$RUNS/$1"; }
wants_gpus() { [ ! -e "$RUNS/$1/gpus" ] && alive "$RUNS/$1"; }

tell() {
  [ ! -s "$DIR/stop" ] || exit 1
  if [ "$1" != "$told" ]; then
    told=$1
    put "$DIR/wait/for" "$1"
  fi
}

not_started() {
  put "$DIR/why" "$1"
  printf 'Not started: %s.\n' "$1" >>"$DIR/log"
  rm -f "$DIR/wait/for"
  exit 1
}

wait_for_runs() {
  while read -r other || [ -n "$other" ]; do
    [ -n "$other" ] || continue
    while alive "$RUNS/$other"; do
      tell "for $other"
      pause
    done
    [ ! -e "$DIR/wait/any" ] || continue
    how_it_ended "$RUNS/$other"
    if [ ! -d "$RUNS/$other" ]; then
      not_started "the run $other it came after was removed"
    elif [ -z "$status" ]; then
      not_started "the run $other it came after was lost"
    elif [ "$status" != 0 ]; then
      not_started "the run $other it came after failed ($status)"
    fi
  done <"$DIR/wait/after"
}

# Whether a run waits for this one: behind it in the line, after it, or after one that does so.
behind() (
  [ ! -e "$1/started" ] && [ "$2" -lt 50 ] || exit 1
  its=$(text "$1/wait/place.queue")
  if [ -n "$its" ] && [ "$its" -gt "$place" ]; then exit 0; fi
  [ -s "$1/wait/after" ] || exit 1
  while read -r other; do
    if [ "$other" = "$ID" ] || behind "$RUNS/$other" $(($2 + 1)); then exit 0; fi
  done <"$1/wait/after"
  exit 1
)

wait_for_all() {
  take_place queue
  # What is begun from now on is not waited for.
  there=$(for folder in "$RUNS"/*/; do
    folder=${folder%/}
    if [ "$folder" != "$DIR" ] && alive "$folder"; then printf '%s\n' "${folder##*/}"; fi
  done)
  while :; do
    other=
    someone_ahead queue runs && other=$ahead
    if [ -z "$other" ]; then
      while IFS= read -r name; do
        folder=$RUNS/$name
        [ -n "$name" ] && alive "$folder" || continue
        if behind "$folder" 1; then continue; fi
        # One that is queued is before or behind this one by its place alone.
        if [ -e "$folder/wait/queue" ] &&
          { [ -e "$folder/wait/place.queue" ] || [ ! -e "$folder/started" ]; }; then continue; fi
        other=$name
        break
      done <<END
$there
END
    fi
    [ -n "$other" ] || return 0
    tell "for $other"
    pause
  done
}

# What of `units` no run of ours holds and no process computes on: whole GPUs in `free`, MIG devices
# in `parts`; `theirs` is who of others is in the way, in words.
free_gpus() {
  list_gpus "$DIR/wait/said" && at_work "$DIR/wait/said" || return 1
  free='' parts='' theirs=''
  while read -r unit uuid; do
    holder=$(text "$GPUS/$unit")
    if [ -n "$holder" ] && [ "$holder" != "$ID" ] && alive "$RUNS/$holder"; then
      case ,$(text "$RUNS/$holder/gpus"), in *",$unit,"*) continue ;; esac
    fi
    pid=$(printf '%s\n' "$busy" | awk -v a="$uuid" -v b="$unit" '$1 == a || $1 == b { print $2; exit }')
    if [ -n "$pid" ]; then
      name=
      { IFS= read -r name <"/proc/$pid/comm"; } 2>/dev/null
      theirs="; ${name:-a process} (pid $pid) is on GPU $unit"
      continue
    fi
    case $unit in *:*) parts="$parts $unit" ;; *) free="$free $unit" ;; esac
  done <<END
$units
END
}

wait_for_gpus() {
  wanted=$(text "$DIR/wait/gpus")
  mkdir -p "$GPUS"
  take_place gpus
  problems=0 patience=10 smi=
  while :; do
    if someone_ahead gpus wants_gpus; then
      tell "for $wanted GPU, behind $ahead"
    elif free_gpus; then
      problems=0 patience=200
      # shellcheck disable=SC2086
      set -- $free
      # A process can use GPUs or MIG devices, not both.
      # shellcheck disable=SC2086
      [ $# -ge "$wanted" ] || set -- $parts
      if [ $# -ge "$wanted" ]; then
        taken='' visible=''
        while [ "$wanted" -gt 0 ]; do
          put "$GPUS/$1" "$ID"
          taken="$taken${taken:+,}$1"
          case $1 in
            *:*) visible="$visible${visible:+,}$(printf '%s\n' "$units" | awk -v a="$1" '$1 == a { print $2 }')" ;;
            *) visible="$visible${visible:+,}$1" ;;
          esac
          wanted=$((wanted - 1))
          shift
        done
        printf 'export CUDA_DEVICE_ORDER=PCI_BUS_ID CUDA_VISIBLE_DEVICES=%s\n' "$visible" >>"$DIR/env"
        put "$DIR/gpus" "$taken"
        return
      fi
      # shellcheck disable=SC2086
      set -- $free $parts
      tell "for $wanted GPU, $# free$theirs"
    else
      : "${why:=nvidia-smi fails: $(head -n 1 "$DIR/wait/said")}"
      # One that answered before may do so again, as after an update of the driver.
      problems=$((problems + 1))
      [ "$problems" -lt "$patience" ] || not_started "$why"
      tell "for $wanted GPU; $why"
      case $why in *answered*) problems=$((problems + 3)) ;; esac
    fi
    pause
  done
}

if [ "$1" = wait ]; then
  told=
  [ ! -s "$DIR/wait/after" ] || wait_for_runs
  [ ! -e "$DIR/wait/queue" ] || wait_for_all
  if [ -s "$DIR/wait/gpus" ]; then
    . "$3"
    wait_for_gpus
  fi
  rm -f "$DIR/wait/for"
  exit 0
fi

# A run once more: its steps and what it waits for, the runs that it came after apart.
if [ "$1" = again ]; then
  for old in "$DIR"/then/[0-9]*; do
    [ -d "$old" ] || continue
    new=$3/then/${old##*/}
    mkdir -p "$new" || exit
    for name in text kind when what where computer seal careful; do
      [ ! -e "$old/$name" ] || cp "$old/$name" "$new/$name" || exit
    done
  done
  mkdir -p "$3/wait" || exit
  for name in queue gpus; do
    [ ! -e "$DIR/wait/$name" ] || cp "$DIR/wait/$name" "$3/wait/$name" || exit
  done
  exit 0
fi

# The steps in the environment of the login shell, where conda and aws may be; without it when a
# start-up file of that hangs.
if [ "$1" = after ]; then
  [ -d "$DIR/then" ] || exit 0
  SHELL=${SHELL:-/bin/sh} CLOUDTUI_THEN=$0 CLOUDTUI_RUN=$DIR
  # What turns the machine off is what was looked for when the run was asked for.
  CLOUDTUI_OFF=$(command -v shutdown || command -v poweroff) CLOUDTUI_SUDO=$(command -v sudo)
  CLOUDTUI_WHO=$(command -v who)
  export SHELL CLOUDTUI_THEN CLOUDTUI_RUN CLOUDTUI_OFF CLOUDTUI_SUDO CLOUDTUI_WHO
  case ${SHELL##*/} in csh | tcsh) tries='-ic -c' ;; *) tries='-lic -lc' ;; esac
  for flags in $tries; do
    "$SHELL" "$flags" 'exec /bin/sh "$CLOUDTUI_THEN" steps "$CLOUDTUI_RUN"' </dev/null >/dev/null 2>&1 &
    steps=$!
    i=0
    until [ -e "$DIR/then/begun" ] || [ $i -ge 50 ] || ! kill -0 $steps 2>/dev/null; do
      pause
      i=$((i + 1))
    done
    if [ -e "$DIR/then/begun" ]; then
      wait $steps
      exit
    fi
    kill -KILL $steps 2>/dev/null
  done
  exec /bin/sh "$0" steps "$DIR"
fi

[ "$1" = steps ] || exit 2
: >"$DIR/then/begun"
CWD=
[ ! -s "$DIR/cwd" ] || read -r CWD <"$DIR/cwd"
case $CWD in '' | '~') CWD=$HOME ;; '~/'*) CWD=$HOME/${CWD#'~/'} ;; /*) ;; *) CWD=$HOME/$CWD ;; esac
how_it_ended "$DIR"
STATUS=${status:-255}
well=1

# Ends a step: state, result.
end_step() {
  put "$step/result" "$2"
  put "$step/state" "$1"
  if [ "$1" = failed ]; then well=; fi
}
last_line() { tr -d '\000' <"$1" 2>/dev/null | tr '\r' '\n' | grep -v '^[[:space:]]*$' | tail -n 1 | cut -c 1-300; }
absolute() { case $1 in /*) printf %s "$1" ;; '~') printf %s "$HOME" ;; '~/'*) printf %s "$HOME/${1#'~/'}" ;; *) printf %s "$CWD/$1" ;; esac; }

step_run() {
  (
    unset CLOUDTUI_THEN CLOUDTUI_OFF CLOUDTUI_SUDO CLOUDTUI_WHO
    cd "$CWD" || exit
    [ ! -s "$DIR/env" ] || . "$DIR/env"
    CLOUDTUI_EXIT=$STATUS exec /bin/sh -c "$what"
  ) >"$step/log" 2>&1 </dev/null
  code=$?
  if [ $code -eq 0 ]; then
    end_step done "$(last_line "$step/log")"
  else
    end_step failed "exit $code: $(last_line "$step/log")"
  fi
}

step_copy() {
  place=$(absolute "$what")
  if [ -e "$place" ]; then
    end_step fetch "$place"
  else
    end_step failed "there is no $place"
  fi
}

# Links below a folder, to files of another one; for find. No loop of links, no link to nowhere and
# no FIFO gets there, which aws would follow without end or stumble over.
# shellcheck disable=SC2016
LINK='
stage=$1 from=$2 made=; shift 2
for file do
  file=${file#./}
  case $file in
    */*) [ "$made" = "${file%/*}" ] || { made=${file%/*}; mkdir -p "$stage/$made"; } ;;
  esac
  ln -s "$from/$file" "$stage/$file"
done'

# What the run wrote, as links below a folder: its log, and what is newer than its start in its
# folder, hidden folders left out.
gather() {
  ln -s "$DIR/log" "$stage/$ID.log"
  [ -e "$DIR/started" ] || return 0
  (
    cd "$CWD" || exit
    find . -xdev -name '.?*' -prune -o -type f -newer "$DIR/started" -exec sh -c "$LINK" sh "$stage" "$CWD" {} +
  )
}

step_s3() {
  source=$(absolute "$what")
  stage=$step/files
  odd=
  rm -rf "$stage"
  mkdir -p "$stage"
  if [ -z "$what" ]; then
    gather
    source=$stage
  elif [ -f "$source" ]; then
    ln -s "$source" "$stage/${source##*/}"
    source=$stage
  elif [ ! -d "$source" ]; then
    rm -rf "$stage"
    end_step failed "there is no $source"
    return
  else
    odd=$(LC_ALL=C find -L "$source" ! -type f ! -type d 2>&1 | head -n 1)
    case $odd in *"system loop"*) odd="a link to a folder that it is in" ;; *) odd=${odd#"$source"/} ;; esac
    if [ -n "$odd" ]; then
      (cd "$source" && find -L . -type f -exec sh -c "$LINK" sh "$stage" "$source" {} + 2>/dev/null)
      source=$stage
    fi
  fi
  if command -v aws >/dev/null 2>&1; then
    (cd "$source" && exec aws s3 cp --recursive --only-show-errors . "$where/") >"$step/log" 2>&1 </dev/null
  elif command -v python3 >/dev/null 2>&1 && python3 -c 'import boto3' 2>/dev/null; then
    put_with_boto3 "$source" "$where" >"$step/log" 2>&1
  else
    rm -rf "$stage"
    end_step failed "this machine has neither aws nor Python's boto3: pip install --user boto3"
    return
  fi
  code=$?
  count=$(find -L "$source" -type f 2>/dev/null | wc -l | tr -d ' ')
  rm -rf "$stage"
  case $odd in *"Permission denied"*) [ $code -ne 0 ] || code=1; printf '%s\n' "$odd" >>"$step/log" ;; esac
  if [ $code -eq 0 ]; then
    if [ "$count" = 1 ]; then noun=file; else noun=files; fi
    if [ -n "$odd" ]; then odd="; left out: $odd"; fi
    if [ "$count" = 0 ]; then where="$where/: there were none"; else where=$where/; fi
    end_step done "$count $noun in $where$odd"
    return
  fi
  reason=$(last_line "$step/log")
  case $reason in
    *[Cc]redential*) reason="$reason; give the machine an instance profile that may write there" ;;
    *AccessDenied* | *"Access Denied"*) reason="$reason; its role needs s3:PutObject there" ;;
    *NoSuchBucket*) reason="$reason; look at its name in: aws s3 ls" ;;
  esac
  end_step failed "exit $code: $reason"
}

put_with_boto3() {
  python3 - "$1" "$2" <<'END'
import os
import sys

import boto3

source, where = sys.argv[1:]
bucket, _, prefix = where[len("s3://"):].partition("/")
client = boto3.client("s3")
for folder, _, names in os.walk(source, followlinks=True):
    for name in names:
        path = os.path.join(folder, name)
        key = "/".join(part for part in (prefix, os.path.relpath(path, source)) if part)
        try:
            client.upload_file(path, bucket, key)
        except Exception as error:
            sys.exit("%s: %s" % (type(error).__name__, error))
END
}

# Whether another run waits or runs, or what follows it is still being done.
others_alive() {
  for folder in "$RUNS"/*/; do
    folder=${folder%/}
    [ "$folder" != "$DIR" ] || continue
    other=${folder##*/}
    if alive "$folder"; then return 0; fi
    [ -d "$folder/then" ] && lives "$folder/supervisor" || continue
    for its in "$folder"/then/[0-9]*; do
      [ "$(text "$its/kind")" != stop ] || continue
      case $(text "$its/state") in
        '' | running) other="what follows $other"; return 0 ;;
      esac
    done
  done
  return 1
}

# A copy that this computer's owner's other computer is fetching, or had no time to begin with.
being_fetched() {
  for other in "$RUNS"/*/then/[0-9]*; do
    [ "$(text "$other/state")" = fetch ] || continue
    if [ -n "$(find "$other/fetching" -prune -mmin -1 2>/dev/null)" ]; then return 0; fi
    case $other in "$DIR"/*) ;; *) continue ;; esac
    if [ ! -e "$other/fetching" ] && [ "$waited" -lt 30 ]; then return 0; fi
  done
  return 1
}

cancelled() {
  [ -e "$DIR/then/cancel" ] || [ ! -d "$DIR" ] || return 1
  end_step skipped "it was called off"
}

# worked PID BORN: whether it, with all that it began, used 3 % of a processor within ten minutes, or
# was not looked at so long. A server that waits, as Jupyter's with idle kernels, did not.
worked() {
  now=$(date +%s)
  ticks=$(cat /proc/[0-9]*/stat 2>/dev/null | awk -v root="$1" '
    { pid = $1; sub(/^.*\) /, ""); parent[pid] = $2; used[pid] = $12 + $13 + $14 + $15 }
    END {
      for (p in used) {
        n = 0 # names of processes may tell of circles
        for (q = p; q != root && q in parent && n < 99; q = parent[q]) n++
        if (q == root) sum += used[p]
      }
      printf "%d", sum
    }')
  key=$1_$2
  eval "set -- \${mark_$key-$ticks $now 0}"
  span=$((now - $2)) idle=$3
  if [ $span -ge 60 ] && [ $((ticks - $1)) -ge $((3 * span)) ]; then
    idle=0
  elif [ $span -ge 600 ]; then
    idle=1
  elif [ $span -gt 0 ]; then
    set -- "$@" kept
  fi
  [ $# -gt 3 ] || eval "mark_$key='$ticks $now $idle'"
  [ $idle = 0 ]
}

# Terminals that somebody logged in to, as `NAME pts/N`, whether or not the machine keeps a record of
# logins (utmp), which Debian 13, containers and Session Manager do not: who leads a session and was
# begun by what lets people in. A connection without a terminal is no login. A pretend `who`, as a
# demo has, is all there is.
logins() {
  case $CLOUDTUI_WHO in '' | /bin/* | /usr/bin/*) ;; *) return ;; esac
  for stat in /proc/[0-9]*/stat; do
    { read -r stat <"$stat"; } 2>/dev/null || continue
    pid=${stat%% *}
    set -f
    # shellcheck disable=SC2086
    set -- ${stat##*) }
    set +f
    [ "$4" = "$pid" ] && [ "${5:-0}" -gt 0 ] || continue
    major=$(($5 / 256 % 4096))
    [ "$major" -ge 136 ] && [ "$major" -le 143 ] || continue
    { read -r its <"/proc/$2/comm"; } 2>/dev/null || continue
    case $its in sshd* | dropbear* | mosh-server | ssm-session* | sudo | su | login) ;; *) continue ;; esac
    tty=pts/$(($5 / 1048576 * 256 + $5 % 256 + (major - 136) * 256))
    printf '%s %s\n' "$(stat -c %U "/dev/$tty" 2>/dev/null || echo somebody)" "$tty"
  done
}

# Whether somebody uses the machine, besides runs: `user` is who, in words. That is a login whose
# keyboard was used within ten minutes, or a program at work in one, or in tmux or screen; shells,
# editors, pagers and what only watches are not.
in_use() {
  user=
  ttys=
  while read -r name tty rest; do
    case $tty in pts/*) ;; *) continue ;; esac
    ttys="$ttys|$tty the login of $name"
    touched=$(stat -c %X "/dev/$tty" 2>/dev/null) || continue
    if [ $(($(date +%s) - touched)) -lt 600 ]; then
      user="$name has not touched $tty for 10 minutes"
      return 0
    fi
  done <<END
$(LC_ALL=C "${CLOUDTUI_WHO:-who}" 2>/dev/null)
$(logins)
END
  for socket in "${TMUX_TMPDIR:-/tmp}/tmux-$(id -u)"/*; do
    [ -S "$socket" ] || continue
    # What shows a run is no work.
    ttys="$ttys$(tmux -S "$socket" list-panes -a \
      -F '#{pane_tty} the tmux session #{session_name} == #{pane_start_command}' 2>/dev/null |
      sed '/ == .*job[^ ]*\.sh"* view /d; s/ == .*//; s,^/dev/,|,' | tr -d '\n')"
  done
  screens=" $(LC_ALL=C screen -ls 2>/dev/null | sed -n 's/^[[:space:]]*\([0-9][0-9]*\)\..*/\1/p' | tr '\n' ' ')"
  [ -n "$ttys${screens# }" ] || return 1
  for stat in /proc/[0-9]*/stat; do
    { read -r stat <"$stat"; } 2>/dev/null || continue
    pid=${stat%% *}
    name=${stat#*(}
    name=${name%)*}
    set -f
    # shellcheck disable=SC2086
    set -- ${stat##*) }
    set +f
    # A terminal of its own, and in front there; in a window of screen, which tells no terminals,
    # a child of its shell or of itself. A name may have a line break: the rest is not read then.
    [ "${5:-0}" != 0 ] && [ "$3" = "$6" ] || continue
    case $name in
      sh | ash | dash | bash | zsh | fish | csh | tcsh | *ksh* | busybox | login | tmux* | screen* | ssh | mosh* | script | tail | less | more | man | watch) continue ;;
      *top | nvidia-smi | journalctl | dmesg | vi | vim* | nvim | nano | emacs* | micro | pager) continue ;;
    esac
    tty=pts/$(($5 / 1048576 * 256 + $5 % 256 + ($5 / 256 % 4096 - 136) * 256))
    case "$ttys|" in
      *"|$tty "*)
        worked "$pid" "${20}" || continue
        user=${ttys##*"|$tty "}
        user="$name in ${user%%|*} has ended"
        return 0
        ;;
    esac
    { read -r stat <"/proc/$4/stat"; } 2>/dev/null || continue
    stat=${stat##*) ? }
    case "$screens" in
      *" ${stat%% *} "*)
        worked "$pid" "${20}" || continue
        user="$name in a window of screen has ended"
        return 0
        ;;
    esac
  done
  return 1
}

step_stop() {
  if [ -n "$(text "$step/careful")" ] && [ -z "$well" ]; then
    end_step skipped "a step before it failed, and a shutdown would terminate the machine"
    return
  fi
  waited=0 told='' user='' rest=1
  until cancelled; do
    if others_alive; then
      until="$other has ended"
    elif being_fetched; then
      until="the copy is fetched"
      waited=$((waited + 1))
    elif in_use; then
      until=$user
    else
      break
    fi
    if [ "$until" != "$told" ]; then
      put "$step/result" "until $until"
      told=$until rest=1
    elif [ "$until" = "$user" ] && [ $rest -lt 10 ]; then
      rest=$((rest + 1))
    fi
    sleep $rest
  done
  if cancelled; then return; fi
  put "$step/result" "shutdown"
  put "$step/state" "running"
  sync
  case $CLOUDTUI_OFF in */shutdown) set -- "$CLOUDTUI_OFF" -h now ;; *) set -- "$CLOUDTUI_OFF" ;; esac
  if [ "$(id -u)" != 0 ]; then set -- "$CLOUDTUI_SUDO" -n "$@"; fi
  if "$@" >"$step/log" 2>&1 </dev/null; then
    end_step done "shutdown at $(date -u +%Y-%m-%dT%H:%M:%SZ)"
  else
    end_step failed "exit $?: $(last_line "$step/log")"
  fi
}

for step in "$DIR"/then/[0-9]*; do
  [ -d "$step" ] || continue
  state=$(text "$step/state")
  case $state in done | failed | skipped | fetch) continue ;; esac
  kind=$(text "$step/kind") when=$(text "$step/when")
  what=$(text "$step/what") where=$(text "$step/where")
  if cancelled; then
    continue
  elif [ -s "$DIR/stop" ] && [ "$when" != always ]; then
    end_step skipped "the run was stopped by hand"
  elif [ "$when" = on-success ] && [ "$STATUS" != 0 ]; then
    end_step skipped "the run failed"
  elif [ "$when" = on-success ] && [ -z "$well" ]; then
    end_step skipped "a step before it failed"
  elif [ "$when" = on-fail ] && [ "$STATUS" = 0 ]; then
    end_step skipped "the run went well"
  else
    if [ "$kind" != stop ]; then put "$step/state" running; fi
    "step_$kind"
  fi
done
