# Prints every run of job.sh, for model/job_listing.py; travels with the question, POSIX sh.
#
# $N is a word that nothing printed here has in it; $KNOWN the ids, each between slashes, of runs
# whose end is known already: nothing more than that they are there is told of them.

runs=$HOME/.local/share/cloudtui/runs
boot=
{ IFS= read -r boot </proc/sys/kernel/random/boot_id; } 2>/dev/null

# alive NAME: whether the process on record there is still that one.
alive() {
  who= stat=
  [ -s "$d/$1" ] && IFS= read -r who <"$d/$1"
  [ -n "$who" ] || return 1
  { IFS= read -r stat <"/proc/${who%% *}/stat"; } 2>/dev/null || return 1
  set -f
  set -- ${stat##*) }
  set +f
  [ "$1" != Z ] && [ "${20}" = "${who##* }" ]
}

printf '%s HOST %s %s\n' "$N" "$(date +%s)" "$boot"
shown=0
for d in "$runs"/*; do
  [ -d "$d" ] || continue
  id=${d##*/}
  case $KNOWN in *"/$id/"*)
    [ -s "$d/ended" ] && printf '%s KNOWN %s\n' "$N" "$id" && continue ;;
  esac
  printf '%s JOB %s\n' "$N" "$id"
  for f in holder session queued boot started exit ended missing stop gpus cwd why wait/for; do
    [ -s "$d/$f" ] && IFS= read -r v <"$d/$f" && printf '%s = %s %s\n' "$N" "$f" "$v"
  done
  for f in pid supervisor; do
    alive "$f" && printf '%s = %s alive\n' "$N" "$f"
  done
  [ ! -s "$d/wait/after" ] || while read -r v; do
    printf '\n%s AFTER %s\n' "$N" "$v"
  done <"$d/wait/after"
  [ ! -e "$d/then" ] || for s in "$d"/then/[0-9]*; do
    for f in text state result where computer seal; do
      [ -s "$s/$f" ] && IFS= read -r v <"$s/$f" && printf '\n%s THEN %s %s %s\n' "$N" "${s##*/}" "$f" "$v"
    done
  done
  printf '\n%s END\n' "$N"
done
# One head and one tail for all runs: one for each would be most of the work. /dev/null makes them
# print the names of the files, which are not printed for one alone.
for f in command log; do
  set --
  for d in "$runs"/*; do
    case $KNOWN in *"/${d##*/}/"*) [ -s "$d/ended" ] && continue ;; esac
    [ -s "$d/$f" ] && set -- "$@" "$d/$f"
  done
  printf '%s FILES %s\n' "$N" "$f"
  case $#$f in
    0*) ;;
    *command) head -c 4000 "$@" /dev/null ;;
    *) tail -c 4000 "$@" /dev/null ;;
  esac
  printf '\n%s END\n' "$N"
done
set -- "$runs"/*/log
[ ! -e "$1" ] || stat -c "$N LOG %s %Y %n" "$@"
