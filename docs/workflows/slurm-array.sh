#!/usr/bin/env bash
# The matrix as a SLURM job array; docs/many-machines.md tells how it works. On the login node, in
# the folder of matrix.toml, which every node sees:
#
#   OPTIONS="--tier eras" SHARDS=8 bash slurm-array.sh
#
# It submits three jobs, each of which runs one step of this file: write, load (the array), merge.
# `ckptmatrix` is to be on the PATH; for a GPU add --gres=gpu:1 to the lines below.
#SBATCH --job-name=ckptmatrix
#SBATCH --output=ckptmatrix-%A_%a.log
#SBATCH --cpus-per-task=4
#SBATCH --mem=16G
#SBATCH --time=01:00:00
set -euo pipefail

export OPTIONS=${OPTIONS:---tier eras} # words without quotes, as for `ckptmatrix run`
export SHARDS=${SHARDS:-8}
export SHARED=${SHARED:-$PWD/reports/shards} # seen by every node: the checkpoints and the shards
read -ra options <<<"$OPTIONS"

# Environments are many small files, and outcomes lie in a database that network file systems do not
# lock; so each task has its own home, on the node's own disk.
home() {
    export CKPTMATRIX_HOME=${CKPTMATRIX_HOMES:-${TMPDIR:-/tmp}/ckptmatrix-$(id -u)}/$1
}

submit() {
    local write load
    mkdir -p "$SHARED"
    # What an earlier submission left must not be merged into this one.
    rm -rf "$SHARED"/checkpoints.zip "$SHARED"/shard-*
    write=$(sbatch --parsable "$0" write)
    load=$(sbatch --parsable --dependency="afterok:${write%;*}" --kill-on-invalid-dep=yes \
        --array="1-$SHARDS" "$0" load)
    # Also where a task failed: merging refuses a hole, and says which shard to run again.
    sbatch --dependency="afterany:${load%;*}" "$0" merge
}

write() {
    home write
    ckptmatrix write "$SHARED/checkpoints.zip" "${options[@]}"
}

load() {
    local task=${SLURM_ARRAY_TASK_ID:?sbatch --array sets it}
    home "shard-$task"
    # Exit code 1 says that outcomes are unexpected; the merged run says so once, for all shards.
    ckptmatrix run --shard "$task/$SHARDS" --checkpoints "$SHARED/checkpoints.zip" \
        --reports "$SHARED/shard-$task" "${options[@]}" || test $? -eq 1
}

merge() {
    ckptmatrix merge "$SHARED"/shard-* -o reports
}

case ${1:-submit} in
submit | write | load | merge) "${1:-submit}" ;;
*) echo "there is no step '$1': submit, write, load or merge" >&2 && exit 2 ;;
esac
