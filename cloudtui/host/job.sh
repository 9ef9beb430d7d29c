#!/bin/sh
# Starts, holds, shows and stops long runs on a host. POSIX sh: dash, BusyBox, bash; on Linux.
#
# A run is a folder, ~/.local/share/cloudtui/runs/ID (0700). One line each, empty until known:
#
#   name         as asked for; ID is NAME, or NAME-2, ...
#   command      the words, each ended by NUL            words   the same as sh: set -- 'a' 'b'
#   cwd          the folder; ~ in front is the home       env     sh: export K='v' ... (0600)
#   holder       tmux, screen or none                     session tmux: $ID CREATED NAME; screen: PID.NAME
#   queued       when it was asked for (seconds since the epoch, as all times here)
#   boot         the boot id of the machine then: another one now means that it was rebooted
#   supervisor   PID STARTTIME of the process that waits for its end (STARTTIME as in /proc/PID/stat)
#   pid          PID STARTTIME of the shell that waits for the command itself
#   tty          its pseudo-terminal; empty where there is neither script(1) nor python3
#   started      when the command was begun
#   exit         STATUS WHEN [SIGNAL]; STATUS is 128 + n for death by signal n
#   ended        when the log was whole; after it nothing of the run is written any more
#   oom          how many processes the kernel had killed for want of memory when it started
#   why          in words: why it was not started, or what else is known of its end
#   log          all that it printed, byte for byte (the terminal adds no carriage returns)
#   stop         the last signal that `stop` sent
#   missing      when output was first lost, since the disk took no more; only then there
#   .exit .ended .missing    room that is kept for them, so that a full disk cannot take it
#   keys alive   FIFOs: what is typed for it; open for writing while the log may still grow
#   before       sh, when there: run by the supervisor before the command, which it may hold back;
#                it writes to wait/for, in words, what it waits for
#                when it ends with an error the command is not run, and `why` says why, in words
#   after        sh, when there: run by the supervisor when `ended` is written
#   again        sh, when there: run by `again` before the new run begins, to copy what is its own
#                Each gets the folder and this program as $1 and $2, `again` the new folder as $3.
#
# The command hangs on nothing that may go away: the supervisor is a session of its own, and gives
# the command a pseudo-terminal by script(1). What tmux or screen holds is a viewer: it shows the
# log and passes the keys on. When their server is killed the run goes on, and can be viewed anew.
#
#   sshd - sh start          ends as soon as the command runs
#   setsid sh supervise -+- script - sh login - $SHELL -lic - sh inner - the command
#                        `- sink, which appends to the log
#   tmux: sh view -+- tail -f log
#                  `- cat >keys
#
# The words and the environment are sourced, never parsed; the environment is in no argument list.

# inner: run by the login shell, with the environment of the command: no variable is set here that
# the user may have set too. Waits for the command and tells how it ended.
if [ "$1" = inner ]; then
  trap : INT TERM HUP QUIT
  set -- "$CLOUDTUI_SH" "$CLOUDTUI_ID" "$HOME/.local/share/cloudtui/runs/$CLOUDTUI_ID"
  if [ -z "$CLOUDTUI_PIPE" ]; then
    exec <>"$CLOUDTUI_TTY" >&0 2>&0
  else
    exec >>"$3/log" 2>&1
  fi
  /bin/sh "$1" begun "$2" $$ &
  (
    export CLOUDTUI_RUN="$3"
    [ -n "$CLOUDTUI_CWD" ] && cd "$CLOUDTUI_CWD" || { echo "Its folder cannot be entered."; exit 1; }
    unset CLOUDTUI_SH CLOUDTUI_ID CLOUDTUI_SHELL CLOUDTUI_PIPE CLOUDTUI_UMASK CLOUDTUI_TTY CLOUDTUI_CWD
    [ ! -s "$3/env" ] || . "$3/env"
    . "$3/words"
    case $1 in
      -*) ;;
      */*)
        [ -e "$1" ] || { echo "$1: no such file"; exit 127; }
        [ -x "$1" ] && [ ! -d "$1" ] || {
          echo "$1: not executable: name what runs it, such as python3, or chmod +x it"; exit 126; } ;;
      *) command -v "$1" >/dev/null || { echo "$1: command not found"; exit 127; } ;;
    esac
    exec "$@"
  )
  set -- "$1" "$2" $?
  wait
  /bin/sh "$1" over_with "$2" "$3"
  exit
fi

me=$0
case $me in /*) ;; *) me=$PWD/$me ;; esac
runs=$HOME/.local/share/cloudtui/runs
common="name command words cwd env holder before after again" # what a rerun has too

NO_HOLDER=91 NOT_WRITTEN=92 NO_FOLDER=93 GONE=94 RUNS=95 OVER=96 MORE=97

# put NAME TEXT: one line of the run's record.
put() { printf '%s\n' "$2" >"$d/$1" || bad=1; } 2>/dev/null

# get NAME: the first line of that file in $got, empty where there is none.
get() {
  got=
  [ -s "$d/$1" ] && IFS= read -r got <"$d/$1"
}

# birth PID: $born, which tells two processes of the same number apart; also $group, $session, $front.
birth() {
  born= group= session= front=
  { IFS= read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  set -f
  set -- ${stat##*) }
  set +f
  [ "$1" != Z ] || return 1
  group=$3 session=$4 front=$6 born=${20}
}

# lives NAME: whether the process on record there is still that one.
lives() {
  get "$1"
  [ -n "$got" ] || return 1
  pid=${got%% *}
  birth "$pid" && [ "$born" = "${got##* }" ]
}

# over: whether nothing of the run is written any more.
over() {
  [ -s "$d/ended" ] && return 0
  lives supervisor && return 1
  lives pid && return 1
  return 0
}

# follows: whether steps after it are still being done, or waited with; see then.sh.
follows() { [ -s "$d/ended" ] && [ -d "$d/then" ] && lives supervisor; }

boot_id() {
  boot=
  { IFS= read -r boot </proc/sys/kernel/random/boot_id; } 2>/dev/null
}

# aside COMMAND...: run it as a session of its own. The first setsid makes the second one the
# leader of a session, which has to fork then; a `&` here would make the command deaf to Ctrl-C.
aside() {
  if command -v setsid >/dev/null; then
    setsid setsid "$@" </dev/null >/dev/null 2>&1
  else
    (trap '' HUP; exec "$@") </dev/null >/dev/null 2>&1 &
  fi
}

# start NAME HOLDER, with lines such as `put cwd '~/x'` on standard input.
start() {
  CLOUDTUI_UMASK=$(umask)
  export CLOUDTUI_UMASK
  umask 077
  name=$1 holder=$2 bad=
  PATH="$PATH:/usr/local/bin:/opt/homebrew/bin:$HOME/.local/bin"
  case $holder in
    '')
      holder=none
      command -v screen >/dev/null && holder=screen
      command -v tmux >/dev/null && holder=tmux
      ;;
    none) ;;
    *) command -v "$holder" >/dev/null || exit $NO_HOLDER ;;
  esac
  [ -d "$runs" ] || mkdir -p "$runs" || exit $NOT_WRITTEN
  place
  put name "$name"
  eval "$(cat)"
  put holder "$holder"
  begin
}

# place: a folder of its own for a run of that name.
place() {
  id=$name n=1
  until [ ! -e "$runs/$id" ] && mkdir "$runs/$id" 2>/dev/null; do
    [ -e "$runs/$id" ] || mkdir "$runs/$id" || exit $NOT_WRITTEN
    n=$((n + 1)) id=$name-$n
  done
  d=$runs/$id
}

# begin: start what the record asks for; the last line printed is `ID ` and its id.
begin() {
  boot_id
  put boot "$boot"
  {
    [ -s "$d/command" ] || (. "$d/words" && printf '%s\0' "$@") >"$d/command" || bad=1
    printf '%62s\n' '' >"$d/.exit" || bad=1
    printf '%62s\n' '' >"$d/.ended" || bad=1
    printf '%62s\n' '' >"$d/.missing" || bad=1
    : >"$d/log" && mkfifo "$d/keys" "$d/alive" || bad=1
  } 2>/dev/null
  put queued "$(date +%s)"
  if [ -n "$bad" ] || [ ! -s "$d/queued" ]; then
    echo | cat >"$d/.why" # says why
    rm -rf "$d"
    exit $NOT_WRITTEN
  fi
  enter || { rm -rf "$d"; exit $NO_FOLDER; }
  cd "$HOME" || cd /
  aside /bin/sh "$me" supervise "$id"
  i=0
  until [ -s "$d/started" ] || [ -s "$d/exit" ] || [ -s "$d/wait/for" ] || [ $i -ge 250 ]; do
    [ $i -ne 25 ] || hold # a start-up file takes its time
    sleep 0.02
    i=$((i + 1))
  done
  [ $i -gt 25 ] || [ -s "$d/exit" ] || hold
  i=0
  until [ -s "$d/exit" ] || [ -s "$d/wait/for" ] || [ $i -ge 4 ]; do
    sleep 0.02
    i=$((i + 1))
  done
  printf '%s\n' "ID $id"
}

# enter: go where the command is to run.
enter() {
  cwd= more=
  { IFS= read -r cwd && IFS= read -r more; } <"$d/cwd" 2>/dev/null
  [ -z "$more" ] || cwd=$(cat "$d/cwd")
  cd "$HOME" || return 1
  case $cwd in
    '' | '~') ;;
    '~/'*) cd "./${cwd#??}" ;;
    /*) cd "$cwd" ;;
    *) cd "./$cwd" ;;
  esac
}

# hold: show it where the user looks for it.
hold() {
  get holder
  export TERM=xterm-256color LANG="${LANG:-C.UTF-8}"
  plain=$(printf %s "$id" | tr '.' '_')
  case $got in
    tmux)
      n=1 as=$plain
      until shown=$(LC_ALL=C.UTF-8 tmux -u new-session -d -P -F '#{session_id} #{session_created} #{session_name}' \
        -s "$as" -n "$plain" -x 160 -y 48 /bin/sh "$me" view "$id" 2>/dev/null </dev/null); do
        [ $n -lt 9 ] || return 0
        n=$((n + 1)) as=$plain-$n
      done
      put session "$shown"
      ;;
    screen) screen -U -dmS "$id" /bin/sh "$me" view "$id" </dev/null >/dev/null 2>&1 ;;
  esac
}

supervise() {
  d=$runs/$1 id=$1 bad=
  umask 077
  exec 9<>"$d/alive"
  trap : INT TERM HUP QUIT
  birth $$
  put supervisor "$$ $born"
  if [ -e "$d/before" ] && ! /bin/sh "$d/before" "$d" "$me"; then
    get stop
    [ -s "$d/exit" ] || finish "$([ -n "$got" ] && echo 143 || echo 1)"
  else
    patience &
    relay
    kill $! 2>/dev/null
    # Its terminal may have been killed, and the command be deaf to that.
    until [ -s "$d/exit" ] || ! lives pid; do sleep 1; done
  fi
  if [ ! -s "$d/exit" ]; then
    get stop
    [ -z "$got" ] || finish 137
  fi
  kept ended "$(date +%s)"
  exec 9>&-
  [ ! -e "$d/after" ] || /bin/sh "$d/after" "$d" "$me"
}

# patience: a start-up file of the login shell that waits for something is not waited for.
patience() {
  exec </dev/null >/dev/null 2>&1 9>&-
  trap 'kill $c; exit' TERM
  for try in 1 2; do
    sleep 15 &
    c=$!
    wait $c
    [ -s "$d/pid" ] && return
    get shell
    [ -n "$got" ] && kill -KILL "$got"
  done
}

# relay: the command on a terminal of its own, what it prints to the log, until it ends.
relay() {
  CLOUDTUI_SH=$me CLOUDTUI_ID=$id CLOUDTUI_SHELL=${SHELL:-/bin/sh} TERM=xterm-256color
  export CLOUDTUI_SH CLOUDTUI_ID CLOUDTUI_SHELL TERM
  if command -v script >/dev/null; then
    SHELL=/bin/sh script -qfc 'exec /bin/sh "$CLOUDTUI_SH" login' /dev/null <>"$d/keys" 9>&- | sink
  elif command -v python3 >/dev/null; then
    python3 -c 'import pty, signal, sys
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
pty.spawn(sys.argv[1:])' /bin/sh "$me" login <>"$d/keys" 9>&- | sink
  else
    command -v setsid >/dev/null && own=setsid || own=
    CLOUDTUI_PIPE=1 $own /bin/sh "$me" login <>"$d/keys" >>"$d/log" 2>&1 9>&-
  fi
}

# sink: standard input to the log. A full disk costs what was printed meanwhile, not the run.
sink() {
  missing=
  until cat >>"$d/log" 2>/dev/null 9>&-; do
    [ -d "$d" ] || exec cat >/dev/null
    missing=1
    [ -e "$d/missing" ] || kept missing "$(date +%s)"
    sleep 1
    [ -z "$missing" ] || printf '\n[the disk was full here, and output is missing]\n' >>"$d/log" && missing=
  done 2>/dev/null
}

# login: the command as the login shell would have it, conda and all; without, should that fail.
login() {
  d=$runs/$CLOUDTUI_ID id=$CLOUDTUI_ID
  umask 077
  trap : INT TERM HUP QUIT
  if [ -z "$CLOUDTUI_PIPE" ]; then
    CLOUDTUI_TTY=$(tty)
    put tty "$CLOUDTUI_TTY"
    stty rows 48 cols 160 echo -onlcr
  fi
  CLOUDTUI_CWD=
  enter && CLOUDTUI_CWD=$PWD
  cd "$HOME" || cd /
  export CLOUDTUI_TTY CLOUDTUI_CWD
  SHELL=$CLOUDTUI_SHELL
  case ${SHELL##*/} in
    csh | tcsh) tries='-ic -c' ;;
    *) tries='-lic -lc' ;;
  esac
  for flags in $tries; do
    umask "${CLOUDTUI_UMASK:-022}"
    /bin/sh -c 'echo $$ >"$0/shell"; exec "$@"' "$d" "$SHELL" $flags 'exec /bin/sh "$CLOUDTUI_SH" inner' \
      </dev/null >/dev/null 2>&1
    [ -s "$d/pid" ] && exit
  done
  exec /bin/sh "$me" inner
}

# begun ID PID: that shell is about to run the command.
begun() {
  d=$runs/$1 bad=
  birth "$2"
  put pid "$2 $born"
  put started "$(date +%s)"
  put oom "$(oom_kills)"
}

oom_kills() { sed -n 's/^oom_kill //p' /proc/vmstat 2>/dev/null; }

# over_with ID STATUS: the command has ended.
over_with() {
  d=$runs/$1 bad=
  get oom
  if [ -n "$got" ] && [ "$2" != 0 ] && [ "$(oom_kills)" -gt "$got" ]; then
    case $2 in
      137) put why "out of memory" ;;
      [0-9] | ??) put why "the machine ran out of memory meanwhile" ;;
    esac
  fi
  finish "$2"
  lives supervisor || aside /bin/sh "$me" instead "$1"
}

# instead ID: what a supervisor that was killed had still to do.
instead() {
  d=$runs/$1 id=$1 bad=
  umask 077
  trap : INT TERM HUP QUIT
  birth $$
  put supervisor "$$ $born"
  sleep 0.5 # what is on its way to the log
  kept ended "$(date +%s)"
  [ ! -e "$d/after" ] || /bin/sh "$d/after" "$d" "$me"
}

# finish STATUS: how it ended, for good.
finish() {
  signal=
  [ "$1" -gt 128 ] && [ "$1" -lt 160 ] && signal=$(kill -l "$1" 2>/dev/null)
  kept exit "$1 $(date +%s) $signal"
}

# kept NAME TEXT: like put, in the room that was kept for it, and all at once.
kept() {
  printf '%-62s\n' "$2" 1<>"$d/.$1" && mv -f "$d/.$1" "$d/$1"
}

# view: the log as it grows on this terminal, whose keys go to the run. Ctrl-] leaves it, where no
# multiplexer has a way of its own.
view() {
  d=$runs/$1
  [ -d "$d" ] || exit $GONE
  [ -z "$STY" ] || put session "$STY"
  before=$(stty -g)
  trap 'kill $shows $types $waits 2>/dev/null; stty "$before"' EXIT
  trap 'exit 0' INT HUP TERM
  if [ -n "$TMUX$STY" ]; then
    stty raw -echo opost onlcr
  else
    stty raw -echo opost onlcr isig intr '^]' quit undef susp undef
  fi
  i=0
  until [ -e "$d/tty" ] || over || [ $i -ge 100 ]; do
    sleep 0.1
    i=$((i + 1))
  done
  fit
  trap fit WINCH
  exec 3<&0 4<>"$d/keys"
  tail -c 60000 -f "$d/log" &
  shows=$!
  (trap '' INT; exec dd bs=1024 <&3 >&4 2>/dev/null) & # no cat: some splice, and hold the pipe
  types=$!
  lasting
  cat <&6 >/dev/null &
  waits=$!
  wait $waits
  while kill -0 $waits 2>/dev/null; do wait $waits; done
  sleep 0.2
  get exit
  set -- $got
  printf '\n[%s ended: %s]\n' "${d##*/}" "${3:-exit status ${1:-unknown}}"
  [ -n "$TMUX" ] && [ "$(tmux display-message -p '#{session_attached}')" -gt 0 ] || return 0
  kill $types
  stty "$before"
  printf 'Enter closes this. '
  read -r closed
}

# lasting: descriptor 6 is at its end when the run is, now or later. An open for reading alone would
# wait for one that writes, for ever when the run ended a moment ago.
lasting() { exec 5<>"$d/alive" 6<"$d/alive" 5>&-; }

# fit: the run's terminal gets the size of this one.
fit() {
  get tty
  [ -c "$got" ] || return 0
  set -- $(stty size)
  [ "${1:-0}" -gt 1 ] && [ "${2:-0}" -gt 1 ] && stty rows "$1" cols "$2" <"$got" 2>/dev/null
}

# size: of the log, in bytes.
size() { size=$(stat -c %s "$d/log" 2>/dev/null) || size=$(wc -c <"$d/log"); }

# follow ID FROM: a line with the offset that it begins at, then the log from there as it grows,
# to its end. FROM is that offset, or -N for the last N lines. The end of its standard input ends
# it. A run that ends meanwhile may have printed more by then: who follows asks once more.
# follow ID FROM 1: only what is there now.
follow() {
  d=$runs/$1 from=$2 whole=$3
  [ -d "$d" ] || exit $GONE
  over && whole=1
  size
  case $from in
    -*)
      block=$((size / 65536 - 32))
      [ $block -gt 0 ] || block=0
      tail=$(dd if="$d/log" bs=65536 skip=$block 2>/dev/null |
        head -c $((size - block * 65536)) | tail -n "${from#-}" | wc -c)
      from=$((size - tail))
      ;;
  esac
  [ "$from" -le "$size" ] || from=$size
  printf '%s\n' "$from"
  if [ -n "$whole" ]; then
    exec 4<"$d/log"
    dd bs=1 skip="$from" count=0 <&4 2>/dev/null
    head -c $((size - from)) <&4
    exit
  fi
  exec 3<&0
  if tail --version 2>/dev/null | grep GNU >/dev/null; then
    tail -c +$((from + 1)) -f "$d/log" </dev/null &
  else
    exec 4<"$d/log"
    dd bs=1 skip="$from" count=0 <&4 2>/dev/null
    tail -c +1 -f <&4 &
  fi
  shows=$!
  lasting
  lasts cat <&6 &
  first=$!
  lasts cat <&3 &
  second=$!
  wait $shows 2>/dev/null
  kill $first $second 2>/dev/null
  exit $MORE
}

# lasts COMMAND...: ends what is shown when the command ends.
lasts() {
  trap 'kill $c; exit' TERM
  "$@" <&0 >/dev/null 2>&1 &
  c=$!
  wait $c
  sleep 0.05
  kill $shows 2>/dev/null
}

# stop ID GRACE: SIGINT, SIGTERM and SIGKILL in turn, each after that many seconds.
stop() {
  d=$runs/$1 id=$1 tries=$(($2 * 10 + 1)) bad=
  [ -d "$d" ] || exit $GONE
  follows && put then/cancel 1 && return
  over && exit $OVER
  if [ ! -s "$d/started" ]; then
    put stop TERM
    get supervisor
    kill -TERM -"${got%% *}"
    ended && return
  fi
  for signal in INT TERM KILL; do
    put stop $signal
    lives pid || break # not another process that has its number now
    if [ $signal = KILL ]; then
      destroy
    elif [ "$front" -gt 0 ]; then
      kill -$signal -"$front"
    else
      its=$group
      lives supervisor
      # Where there is no setsid they are one group.
      if [ "$group" = "$its" ]; then each_of_it $signal; else kill -$signal -"$its"; fi
    fi
    ended && return
  done
  [ -s "$d/exit" ] || finish 137
  [ -s "$d/ended" ] || kept ended "$(date +%s)"
}

# ended: wait for the end, for as many tenths of a second as there are tries.
ended() {
  i=0
  until over; do
    [ $i -lt "$tries" ] || return 1
    sleep 0.1
    i=$((i + 1))
  done
}

# destroy: SIGKILL for all of the session, and for what left it but is the run's by its environment;
# first for the shell that would tell another end.
destroy() {
  its=$session
  kill -KILL "${got%% *}"
  for p in /proc/[0-9]*; do
    birth "${p#/proc/}" && [ "$session" = "$its" ] && kill -KILL "${p#/proc/}"
  done
  each_of_it KILL
}

# each_of_it SIGNAL: for what is the run's by its environment.
each_of_it() {
  for p in $(grep -lsF "CLOUDTUI_RUN=$d" /proc/[0-9]*/environ); do
    p=${p%/environ}
    tr '\0' '\n' <"$p/environ" | grep -qxF "CLOUDTUI_RUN=$d" && kill -"$1" "${p#/proc/}"
  done 2>/dev/null
}

# again ID: the same once more, as a new run.
again() {
  CLOUDTUI_UMASK=$(umask)
  export CLOUDTUI_UMASK
  umask 077
  old=$runs/$1 bad=
  [ -d "$old" ] || exit $GONE
  IFS= read -r name <"$old/name" || name=$1
  place
  for f in $common; do
    [ ! -e "$old/$f" ] || cp "$old/$f" "$d/$f" || bad=1
  done
  [ ! -e "$old/again" ] || /bin/sh "$old/again" "$old" "$me" "$d" || bad=1
  begin
}

# remove ID: the record and the log; not of one that runs.
remove() {
  d=$runs/$1
  [ -d "$d" ] || exit $GONE
  over || exit $RUNS
  follows && exit $RUNS
  PATH="$PATH:/usr/local/bin:/opt/homebrew/bin:$HOME/.local/bin"
  get session
  case $got in
    '$'*)
      set -- $got
      [ "$(tmux display-message -p -t "$1:" '#{session_created}')" != "$2" ] || tmux kill-session -t "$1"
      ;;
    [0-9]*.*) screen -S "$got" -X quit ;;
  esac >/dev/null 2>&1
  rm -rf "$d"
}

# show ID: show it again, after the multiplexer that showed it was ended.
show() {
  d=$runs/$1 id=$1 bad=
  [ -d "$d" ] || exit $GONE
  over && exit $OVER
  PATH="$PATH:/usr/local/bin:/opt/homebrew/bin:$HOME/.local/bin"
  cd "$HOME" || cd /
  hold
}

verb=$1
[ $# -eq 0 ] || shift
case $verb in
  start | again | supervise | instead | login | begun | over_with | view | show | follow | stop | remove) "$verb" "$@" ;;
  *) exit 2 ;;
esac
