#!/bin/sh
# Unpack the environment, one file for all nodes, on the disk of this node; nothing is done where it is there already.
#     sh unpack_environment.sh IMAGE FOLDER
# Jobs that begin at the same time each unpack it aside; the first gives it its name. Needs unsquashfs (squashfs-tools).
set -eu
image=$1
folder=$2
if [ -d "$folder" ]; then
    [ -O "$folder" ] && exit
    echo "$folder belongs to another user: name another folder" >&2
    exit 1
fi
part=$folder.$(hostname).$$
mkdir -p "$(dirname "$folder")"
trap 'rm -rf "$part"' EXIT
unsquashfs -quiet -no-progress -dest "$part" "$image"
mv -T "$part" "$folder" 2>/dev/null || [ -O "$folder" ]
