#!/bin/sh
# The management OS: says what it is.
while read -r module; do insmod /$module; done < /etc/modules.dpu
read -r line < /proc/cmdline
version=${line##*version=} version=${version%% *}
disks=$(cd /sys/class/block && echo *)
case " $disks " in
  *pmem*) echo "system version $version, a volatile disk is left" ;;
  *) echo "system version $version, no volatile disk" ;;
esac
echo "system: disks are $disks, $(uname -sr)"
