# Records until it is told to stop, and again after it was killed. The Python to use is $1.
pause=1
until "$1" -E "${0%/*}" record; do
  sleep $pause
  [ $pause -ge 60 ] || pause=$((pause * 2))
done
