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
      comm=
      { IFS= read -r comm <"/proc/${ID%%.*}/comm"; } 2>/dev/null
      case $comm in screen* | SCREEN*) ;; *) return 1 ;; esac
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
  while busy && [ $i -lt "$TRIES" ]; do
    sleep 0.1
    i=$((i + 1))
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
