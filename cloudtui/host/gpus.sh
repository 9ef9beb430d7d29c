# The GPUs of a machine, as functions: for then.sh, and for the question before a run is started.

# within FILE SECONDS COMMAND...: what it prints, in FILE, and its exit status; 124 when it goes on
# for longer. It is not waited for then, since what hangs in a driver cannot be killed.
within() {
  file=$1 tenths=$(($2 * 10))
  shift 2
  "$@" >"$file" 2>&1 </dev/null &
  child=$!
  while kill -0 $child 2>/dev/null; do
    [ $tenths -gt 0 ] || { kill -KILL $child; return 124; }
    tenths=$((tenths - 1))
    sleep 0.1 2>/dev/null || sleep 1
  done
  wait $child
}

# find_nvidia FILE: where nvidia-smi is, in `smi`: in a usual place, or where the login shell has it.
find_nvidia() {
  PATH=$PATH:/usr/bin:/usr/local/bin:/usr/local/nvidia/bin:/opt/bin:/usr/lib/wsl/lib
  smi=$(command -v nvidia-smi) && return
  case ${SHELL##*/} in csh | tcsh) flags=-ic ;; *) flags=-lic ;; esac
  within "$1" 15 "${SHELL:-/bin/sh}" $flags 'exec /bin/sh -c "command -v nvidia-smi"'
  smi=$(grep '^/.*/nvidia-smi$' "$1" | tail -n 1)
  [ -n "$smi" ]
}

# list_gpus FILE: what a run can be given, in `units`: lines of INDEX UUID, and INDEX:DEVICE UUID
# for the MIG devices of a GPU that is divided into such; 1 when there is none, and why in `why`.
list_gpus() {
  why='' units=''
  [ -n "$smi" ] || find_nvidia "$1" || { why="it has no nvidia-smi"; return 1; }
  within "$1" 20 "$smi" -L
  code=$?
  units=$(sed -n 's/^GPU \([0-9]*\):.*(UUID: \([^)]*\)).*/\1 \2/p
    s/^ *MIG .*Device *\([0-9]*\): *(UUID: \([^)]*\)).*/:\1 \2/p' "$1" | {
    whole=
    while read -r unit uuid; do
      case $unit in
        :*) whole=; echo "$index$unit $uuid" ;;
        *) [ -z "$whole" ] || echo "$whole"; index=$unit whole="$unit $uuid" ;;
      esac
    done
    [ -z "$whole" ] || echo "$whole"
  })
  [ -z "$units" ] || return 0
  said=$(grep -v '^[[:space:]]*$' "$1" | head -n 1 | cut -c 1-200)
  case $code in
    0) why="nvidia-smi lists none" ;;
    124) why="nvidia-smi has not answered for 20 s" ;;
    *) why="nvidia-smi fails (exit $code): ${said%.}" ;;
  esac
  return 1
}

# at_work FILE: what computes there, in `busy`: lines of UUID PID, or INDEX:DEVICE PID with MIG.
at_work() {
  within "$1" 20 "$smi" --query-compute-apps=gpu_uuid,pid --format=csv,noheader || return 1
  busy=$(sed 's/,/ /' "$1")
  case $units in *:*) ;; *) return 0 ;; esac
  # Only this says on which device: each has a GPU instance, and a compute instance in that.
  within "$1" 20 "$smi" -q -x || return 1
  busy="$busy
$(awk -F '[<>]' '
    $2 ~ /^gpu id=/ { gpu++ }
    $2 == "mig_device" || $2 == "process_info" { split("", its) }
    { its[$2] = $3 }
    $2 == "/mig_device" { device[gpu, its["gpu_instance_id"], its["compute_instance_id"]] = its["index"] }
    $2 == "/process_info" {
      at = gpu SUBSEP its["gpu_instance_id"] SUBSEP its["compute_instance_id"]
      if (at in device) print gpu - 1 ":" device[at], its["pid"]
    }' "$1")"
}
