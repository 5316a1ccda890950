#!/bin/sh
# On the DPU's host: finds out what DPU there is, takes its image from the disk, publishes it and tells the controller.
# The disk begins with a table: a line for each image, of model, version, offset, size and SHA-256.
BMC=10.0.7.1 HOST=10.0.7.2
ip addr add $HOST/24 dev eth0
ip link set eth0 up
say() { echo "host: $*"; }
ask() { # METHOD PATH [BODY]
  printf '%s %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %s\r\n\r\n%s' \
    "$1" "$2" $BMC ${#3} "$3" | nc $BMC 80
}
field() { sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p'; }
while :; do
  model=$(ask GET /redfish/v1/Systems/dpu | field Model)
  [ -n "$model" ] && break
  sleep 1
done
say "the DPU is a $model"
set -- $(dd if=/dev/vda bs=4096 count=1 2>/dev/null | tr -d '\0' | grep "^$model ")
[ $# = 5 ] || { say "there is no image for it"; exit 1; }
mkdir -p /www
dd if=/dev/vda of=/www/$1.img bs=65536 skip=$(($3 / 65536)) count=$((($4 + 65535) / 65536)) 2>/dev/null
busybox truncate -s $4 /www/$1.img
printf '{"model":"%s","version":%s,"size":%s,"sha256":"%s"}' $1 $2 $4 $5 > /www/$1.img.manifest
busybox httpd -p $HOST:80 -h /www
say "publishing version $2"
UPDATE=/redfish/v1/UpdateService/Actions/UpdateService.SimpleUpdate
task=$(ask POST $UPDATE '{"ImageURI":"http://'$HOST/$1.img'","TransferProtocol":"HTTP"}' | field @odata.id)
say "$task begins"
while :; do
  state=$(ask GET $task | field TaskState)
  case $state in
    New|Running|'') sleep 2 ;;
    *) break ;;
  esac
done
say "the task is $state"
