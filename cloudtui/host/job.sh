#!/bin/sh
# Starts, holds, shows and stops long runs on a host. POSIX sh: dash, BusyBox, bash; on Linux.
#
# A run is a folder, ~/.local/share/cloudtui/runs/ID (0700). One line each, empty until known:
#
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
#   log          all that it printed, byte for byte (the terminal adds no carriage returns)
#   stop         the last signal that `stop` sent
#   .exit .ended room that is kept for the two, so that a full disk cannot take them
#   keys alive   FIFOs: what is typed for it; open for writing while the log may still grow
#   before       sh, when there: run by the supervisor before the command, which it may hold back
#   after        sh, when there: run by the supervisor when `ended` is written
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

me=$0
case $me in /*) ;; *) me=$PWD/$me ;; esac
runs=$HOME/.local/share/cloudtui/runs
again="command words cwd env holder before after" # what a rerun has in common

NO_HOLDER=91 NOT_WRITTEN=92 NO_FOLDER=93 GONE=94 RUNS=95 OVER=96

now() { date +%s; }

# put NAME TEXT: one line of the run's record.
put() { printf '%s\n' "$2" >"$d/$1" || bad=1; }

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
  mkdir -p "$runs" || exit $NOT_WRITTEN
  id=$name n=1
  until [ ! -e "$runs/$id" ] && mkdir "$runs/$id" 2>/dev/null; do
    [ -e "$runs/$id" ] || mkdir "$runs/$id" || exit $NOT_WRITTEN
    n=$((n + 1)) id=$name-$n
  done
  d=$runs/$id
  eval "$(cat)"
  put holder "$holder"
  begin
}

begin() {
  boot_id
  put boot "$boot"
  [ -s "$d/command" ] || (. "$d/words" && printf '%s\0' "$@") >"$d/command" || bad=1
  printf '%62s\n' '' >"$d/.exit" || bad=1
  printf '%62s\n' '' >"$d/.ended" || bad=1
  : >"$d/log" && mkfifo "$d/keys" "$d/alive" || bad=1
  put queued "$(now)"
  [ -z "$bad" ] && [ -s "$d/queued" ] || { rm -rf "$d"; exit $NOT_WRITTEN; }
  enter || { rm -rf "$d"; exit $NO_FOLDER; }
  cd "$HOME" || cd /
  aside /bin/sh "$me" supervise "$id"
  hold
  i=0
  until [ -s "$d/started" ] || [ -s "$d/exit" ] || [ -e "$d/before" ] || [ $i -ge 250 ]; do
    sleep 0.02
    i=$((i + 1))
  done
  i=0
  until [ -s "$d/exit" ] || [ -e "$d/before" ] || [ $i -ge 4 ]; do
    sleep 0.02
    i=$((i + 1))
  done
  printf '%s\n' "ID $id"
}

# enter: go where the command is to run.
enter() {
  cwd=$(cat "$d/cwd" 2>/dev/null; echo .)
  cwd=${cwd%.}
  cwd=${cwd%?}
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
        -s "$as" -x 160 -y 48 /bin/sh "$me" view "$id" 2>/dev/null </dev/null); do
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
  fi
  if [ ! -s "$d/exit" ]; then
    get stop
    [ -z "$got" ] || finish 137
  fi
  kept ended "$(now)"
  exec 9>&-
  [ ! -e "$d/after" ] || /bin/sh "$d/after" "$d" "$me"
}

# patience: a start-up file of the login shell that waits for something is not waited for.
patience() {
  exec </dev/null >/dev/null 2>&1 9>&-
  for try in 1 2; do
    sleep 15
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
    CLOUDTUI_PIPE=1 setsid /bin/sh "$me" login <>"$d/keys" >>"$d/log" 2>&1 9>&-
  fi
}

# sink: standard input to the log. A full disk costs what was printed meanwhile, not the run.
sink() {
  missing=
  until cat >>"$d/log" 2>/dev/null 9>&-; do
    [ -d "$d" ] || exec cat >/dev/null
    missing=1
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
    put tty "$(tty)"
    stty rows 48 cols 160 echo -onlcr
  fi
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
  inner
}

# inner: in the environment of the login shell; waits for the command and tells how it ended.
inner() {
  d=$runs/$CLOUDTUI_ID id=$CLOUDTUI_ID
  trap : INT TERM HUP QUIT
  if [ -z "$CLOUDTUI_PIPE" ]; then
    get tty
    exec <>"$got" >&0 2>&0
  else
    exec >>"$d/log" 2>&1
  fi
  birth $$
  put pid "$$ $born"
  unset CLOUDTUI_SH CLOUDTUI_ID CLOUDTUI_SHELL CLOUDTUI_PIPE CLOUDTUI_UMASK
  export CLOUDTUI_RUN="$d"
  enter || { echo "The folder $cwd cannot be entered."; finish 1; exit; }
  put started "$(now)"
  (
    [ ! -s "$d/env" ] || . "$d/env"
    . "$d/words"
    exec "$@"
  )
  finish $?
}

# finish STATUS: how it ended, for good.
finish() {
  signal=
  [ "$1" -gt 128 ] && [ "$1" -lt 160 ] && signal=$(kill -l "$1" 2>/dev/null)
  kept exit "$1 $(now) $signal"
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
  (trap '' INT; exec cat <&3 >&4) &
  types=$!
  cat "$d/alive" >/dev/null &
  waits=$!
  over && kill $waits
  wait $waits
  while kill -0 $waits 2>/dev/null; do wait $waits; done
  sleep 0.2
  get exit
  set -- $got
  printf '\n[%s ended: %s]\n' "${d##*/}" "${3:-exit status ${1:-unknown}}"
}

# fit: the run's terminal gets the size of this one.
fit() {
  get tty
  [ -c "$got" ] || return 0
  set -- $(stty size)
  [ "${1:-0}" -gt 1 ] && [ "${2:-0}" -gt 1 ] && stty rows "$1" cols "$2" <"$got" 2>/dev/null
}

verb=$1
[ $# -eq 0 ] || shift
case $verb in
  start | supervise | login | inner | view) "$verb" "$@" ;;
esac
