# Prints every run of job.sh, for model/job_listing.py; travels with the question, POSIX sh.
#
# $N is a word that nothing printed here has in it; $OVER has ID:QUEUED, each between slashes,
# of runs whose end is known already: nothing more than that they are there is told of them; $SEEN
# of those whose command is known.

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

printf '%s HOST - %s\n' "$N" "$boot"
new=/ told=/
for d in "$runs"/*; do
  [ -d "$d" ] || continue
  id=${d##*/}
  v=
  [ -s "$d/queued" ] && IFS= read -r v <"$d/queued"
  case $OVER in *"/$id:$v/"*)
    [ -s "$d/ended" ] && printf '%s KNOWN %s\n' "$N" "$id" && continue ;;
  esac
  told=$told$id/
  printf '%s JOB %s\n%s = queued %s\n' "$N" "$id" "$N" "$v"
  case $SEEN in *"/$id:$v/"*) ;; *) new=$new$id/ ;; esac
  for f in holder session boot started exit ended missing stop gpus cwd why wait/for; do
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
# One program for all runs: one for each would be most of the work. /dev/null makes them print the
# names of the files, which are not printed for one alone.
set --
for d in "$runs"/*; do
  case $new in *"/${d##*/}/"*) [ -s "$d/command" ] && set -- "$@" "$d/command" ;; esac
done
printf '%s FILES command\n' "$N"
[ $# -eq 0 ] || head -c 4000 "$@" /dev/null
printf '\n%s END\n' "$N"
set --
for d in "$runs"/*; do
  case $told in *"/${d##*/}/"*) [ -e "$d/log" ] && set -- "$@" "$d/log" ;; esac
done
printf '%s FILES log\n' "$N"
[ $# -eq 0 ] || tail -c 4000 "$@" /dev/null
printf '\n%s END\n' "$N"
# The time of its own process is now.
stat -c "$N LOG %s %Y %n" "$@" /proc/self/stat || printf '%s NOW %s\n' "$N" "$(date +%s)"
