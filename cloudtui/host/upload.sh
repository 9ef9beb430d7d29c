# What is there of a folder that is to be sent, and its unpacking: upload.sh VERB: list, hash, links or unpack
#
# The first line of standard input is the folder, `~` in front for the home folder; then come, each
# ended by NUL, the names that are asked about, or the tar archive. What is printed first are lines
# of facts, then one line a name; names with line feeds are not asked for by list.

umask 022
IFS= read -r dir || exit 2
case $dir in '~') dir=$HOME ;; '~/'*) dir=$HOME/${dir#??} ;; /*) ;; *) dir=$HOME/$dir ;; esac
LC_ALL=C
export LC_ALL

# A line for each of the names on standard input that is there.
stand() {
  time=%Y
  case $(stat -c %.9Y / 2>/dev/null) in *[0-9].[0-9]*) time=%.9Y ;; esac
  xargs -0 stat -c "%f %s $time %Z %n" -- 2>/dev/null
}

case $1 in
  list)
    above=$dir
    until [ -e "$above" ]; do above=$(dirname "$above"); done
    printf 'FOLDER %s\n' "$dir"
    [ -d "$above" ] || printf 'NOFOLDER %s\n' "$above"
    [ -w "$above" ] || printf 'READONLY %s\n' "$above"
    [ ! -d "$above" ] || df -Pk "$above" 2>/dev/null | tail -n 1 | while read -r _ _ _ free _; do
      printf 'FREE %s\n' "$free"
    done
    if command -v tar >/dev/null; then
      case $(tar --version 2>&1) in *GNU*) echo 'TAR pax' ;; *) echo 'TAR plain' ;; esac
    elif command -v python3 >/dev/null; then
      echo 'TAR pax'
    else
      echo 'TAR none'
    fi
    echo NAMES
    if cd "$dir" 2>/dev/null; then
      stand
    else
      cat >/dev/null
    fi
    exit 0
    ;;
  hash)
    cd "$dir" || exit
    xargs -0 sha256sum -- 2>/dev/null
    exit 0
    ;;
  links)
    cd "$dir" || exit
    # shellcheck disable=SC2016
    xargs -0 sh -c 'for name do printf "%s\0%s\0" "$name" "$(readlink "./$name")"; done' sh
    exit 0
    ;;
  unpack) ;;
  *) exit 2 ;;
esac

mkdir -p "$dir" && cd "$dir" || exit 81
for old in .cloudtui-sync.*; do
  if [ -d "$old" ] && ! kill -0 "${old##*.}" 2>/dev/null; then rm -rf "$old"; fi
done
stage=.cloudtui-sync.$$
trap 'chmod -R u+rwx "$stage" 2>/dev/null; rm -rf "$stage"' EXIT
trap 'exit 85' HUP INT TERM PIPE
mkdir -m 700 "$stage" || exit 82
if command -v tar >/dev/null; then
  tar -xpof - -C "$stage" || exit 83
else
  python3 -c 'import sys, tarfile
kept = {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}
with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
    archive.extractall(sys.argv[1], **kept)' "$stage" || exit 83
fi
# Only an archive that came to its end is used: this file is its last one.
[ -f "$stage/.cloudtui-whole" ] || exit 84
# What was changed or made since it was looked at stays: nothing is put in its place.
if [ -s "$stage/.cloudtui-names" ]; then
  now=$(stand <"$stage/.cloudtui-names")
  if [ -n "$now" ] && [ "$now" != "$(cat "$stage/.cloudtui-there")" ]; then
    now=$(printf '%s\n' "$now" | grep -vxF -f "$stage/.cloudtui-there")
    [ -z "$now" ] || { printf '%s\n' "$now" | head -n 5 | cut -d ' ' -f 5- >&2; exit 87; }
  fi
fi
rm -f "$stage/.cloudtui-names" "$stage/.cloudtui-there" "$stage/.cloudtui-whole"

# All that is in the folder $1 to the folder $2: whole folders where there is none yet.
merge() {
  # shellcheck disable=SC2016
  find "$1/." ! -name . -prune ! -type d \
    -exec sh -c 'to=$1; shift; exec mv -f -- "$@" "$to"' sh "$2/" {} + || bad=1
  for entry in "$1"/*/ "$1"/.[!.]*/ "$1"/..?*/; do
    entry=${entry%/}
    [ -d "$entry" ] && [ ! -L "$entry" ] || continue
    if [ -d "$2/${entry##*/}" ]; then
      merge "$entry" "$2/${entry##*/}"
    else
      mv -f -- "$entry" "$2/" || bad=1
    fi
  done
}
bad=
merge "$stage" .
[ -z "$bad" ] || exit 86
