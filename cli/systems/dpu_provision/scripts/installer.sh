#!/bin/sh
# On the DPU, from the volatile disk: writes the system to the partition that is not in use, reads it back, and puts that
# first in BootOrder. The command line has slots=SECTOR,SECTOR: where the partitions begin.
say() { echo "installer: $*"; }
fail() { say "failed: $*"; poweroff -f; }
while read -r module; do insmod /$module; done < /etc/modules.dpu
RAM=/dev/pmem0 DISK=/dev/nvme0n1
ORDER=/sys/firmware/efi/efivars/BootOrder-8be4df61-93ca-11d2-aa0d-00e098032b8c
[ -b $RAM ] || fail "there is no volatile disk"
read -r line < /proc/cmdline
slots=${line##*slots=} slots=${slots%% *}
order=$(hexdump -v -e '1/1 "%02x"' $ORDER)
case $order in
  070000000100*) old=1 new=2 sector=${slots#*,} ;;
  070000000200*) old=2 new=1 sector=${slots%,*} ;;
  *) fail "BootOrder is $order" ;;
esac
page=$((sector / 8))
# The system's header is the second page: its size is at 32, its digest at 64; what is digested begins with the third page.
size=$(dd if=$RAM bs=4 skip=$(((4096 + 32) / 4)) count=1 2>/dev/null | hexdump -v -e '1/4 "%u"')
sum=$(dd if=$RAM bs=32 skip=$(((4096 + 64) / 32)) count=1 2>/dev/null | hexdump -v -e '1/1 "%02x"')
bytes=$((size - 8192)) at=$((sector * 512 + 8192))
say "writing partition $new, $size bytes"
dd if=/dev/zero of=$DISK bs=4096 seek=$page count=1 conv=fsync 2>/dev/null || fail "the header is not erased"
dd if=$RAM of=$DISK bs=65536 iflag=skip_bytes,count_bytes oflag=seek_bytes skip=8192 seek=$at count=$bytes conv=fsync \
  2>/dev/null || fail "not written"
echo 3 > /proc/sys/vm/drop_caches
read -r found _ <<END
$(dd if=$DISK bs=65536 iflag=skip_bytes,count_bytes skip=$at count=$bytes 2>/dev/null | sha256sum)
END
[ "$found" = "$sum" ] || fail "read back, it is $found, not $sum"
say "read back and equal"
dd if=$RAM of=$DISK bs=4096 skip=1 seek=$page count=1 conv=fsync 2>/dev/null || fail "the header is not written"
printf "\\007\\000\\000\\000\\00$new\\000\\00$old\\000" > $ORDER || fail "BootOrder is not written"
say "installed"
reboot -f
