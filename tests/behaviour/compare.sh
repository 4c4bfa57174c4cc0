#!/usr/bin/env bash
# Whether two versions of Sori behave the same: small trainings of every task, interrupted and resumed
# across versions, predictions, help texts. Prints a table; exits with 1 if anything differs.
#
#   tests/behaviour/compare.sh OLD_COMMIT [NEW_COMMIT]          (builds both in release; NEW is HEAD if not given)
#   OLD=path/to/sori NEW=path/to/sori tests/behaviour/compare.sh
#
# Either may also be half: OLD=path/to/sori tests/behaviour/compare.sh - NEW_COMMIT
# ONLY=REGEX runs the checks whose names match; KEEP=DIR keeps what was made, and JOBS=N runs N at a time.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(git -C "$here" rev-parse --show-toplevel)
work=$(mktemp -d)
tidy() {
    [ ! -e "$work/tree" ] || git -C "$root" worktree remove --force "$work/tree"
    rm -rf "$work"
}
trap tidy EXIT

# The program of a commit. Its build stays in target/behaviour, so that what has not changed since is not
# compiled again; the two take turns there.
build() {
    local commit
    commit=$(git -C "$root" rev-parse --verify --short=12 "$1^{commit}")
    echo "building $1 ($commit)" >&2
    git -C "$root" worktree add --quiet --detach "$work/tree" "$commit" >&2
    (cd "$work/tree" && CARGO_TARGET_DIR="$root/target/behaviour" cargo build --release --locked --quiet --bin sori >&2)
    cp "$root/target/behaviour/release/sori" "$work/sori-$2"
    git -C "$root" worktree remove --force "$work/tree"
}

if [ -z "${OLD:-}" ]; then
    build "${1:?which commit is the old one? see the top of this file}" old
    OLD=$work/sori-old
fi
if [ -z "${NEW:-}" ]; then
    build "${2:-HEAD}" new
    NEW=$work/sori-new
fi
python3 "$here/compare.py" "$OLD" "$NEW"
