# Ends what runs in a tmux or screen session by SIGINT, SIGTERM and SIGKILL in turn, then the
# session; prints the last signal that was needed. Travels with the question, POSIX sh on Linux.
#
# $PROGRAM, $ID and of tmux $MADE, the moment it was made, name the session; $TRIES is the patience
# after each signal, in tenths of a second.

GONE=93 refused=

# same: whether the session is still the one that is meant.
same() {
  case $PROGRAM in
    tmux) [ "$(tmux -u display-message -p -t "$ID:" '#{session_created}' 2>/dev/null)" = "$MADE" ] ;;
    *)
      stat=
      { IFS= read -r stat <"/proc/${ID%%.*}/stat"; } 2>/dev/null
      case $stat in
        *") Z "*) return 1 ;;
        *"(screen"* | *"(SCREEN"*) ;;
        *) return 1 ;;
      esac
      ;;
  esac
}

# roots: what its panes or windows were begun with, each the leader of a session of the kernel's.
roots() {
  case $PROGRAM in
    tmux) roots=$(tmux -u list-panes -s -t "$ID:" -F '#{pane_pid}' | tr '\n' ' ') ;;
    *)
      roots=
      for p in /proc/[0-9]*; do
        { IFS= read -r stat <"$p/stat"; } 2>/dev/null || continue
        set -f
        set -- ${stat##*) }
        set +f
        [ "$2" != "${ID%%.*}" ] || roots="$roots${p#/proc/} "
      done
      ;;
  esac
}

# idle PID: whether that is no more than a shell that waits for its user.
idle() {
  words=$(tr '\0' ' ' <"/proc/$1/cmdline") 2>/dev/null
  set -f
  set -- $words
  set +f
  case ${1##*/} in
    sh | dash | bash | ash | zsh | fish | ksh | mksh | csh | tcsh) ;;
    -sh | -dash | -bash | -ash | -zsh | -fish | -ksh | -mksh | -csh | -tcsh) ;;
    *) return 1 ;;
  esac
  shift
  for word; do
    case $word in
      --*) ;;
      -*c*) return 1 ;;
      -*) ;;
      *) return 1 ;;
    esac
  done
}

# busy: $groups, the process groups in it with more than such a shell, as far as they can be ended.
busy() {
  groups=
  for p in /proc/[0-9]*; do
    { IFS= read -r stat <"$p/stat"; } 2>/dev/null || continue
    set -f
    set -- ${stat##*) }
    set +f
    [ "$1" != Z ] || continue
    case " $roots" in *" $4 "*) ;; *) continue ;; esac
    case " $groups $refused " in *" $3 "*) continue ;; esac
    idle "${p#/proc/}" || groups="$groups $3"
  done
  [ -n "$groups" ]
}

# alive: whether any of these groups has a process; less work than to look at every process.
alive() {
  for group in $groups; do
    kill -0 -"$group" 2>/dev/null && return
  done
  return 1
}

same || exit $GONE
roots
needed=
for signal in INT TERM KILL; do
  busy || break
  for group in $groups; do
    if kill -$signal -"$group" 2>/dev/null; then
      needed=$signal
      kill -CONT -"$group" 2>/dev/null
    elif [ -d "/proc/$group" ]; then
      refused="$refused $group" # another user's, as what sudo runs: ended with the session
    fi
  done
  i=0
  while alive && [ $i -lt "$TRIES" ]; do
    sleep 0.1
    i=$((i + 1))
    [ $((i % 5)) -ne 0 ] || busy || break # a zombie is there until it is waited for
  done
done
if same; then
  case $PROGRAM in
    tmux) tmux -u kill-session -t "$ID" ;;
    *) screen -S "$ID" -X quit ;;
  esac >/dev/null 2>&1
  i=0
  while same && [ $i -lt 50 ]; do
    sleep 0.1
    i=$((i + 1))
  done
  ! same || exit 1
fi
printf '%s\n' "$needed"
