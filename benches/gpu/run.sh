#!/usr/bin/env bash
# Sori on this machine's GPU: checks, times and counts. Prints benches/gpu/RESULTS.md.
#
#     benches/gpu/run.sh > benches/gpu/RESULTS.md
#     SORI=path/to/sori benches/gpu/run.sh --backends cuda --only lstm ctc
#
# Without SORI it builds a release with every backend that the machine may have. PYTHON names the Python whose PyTorch
# is the peer; without PyTorch, or without a card it can use, the peer's columns stay empty, and the first lines say so.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
if [ -z "${SORI:-}" ]; then
    features=wgpu,vulkan
    if command -v nvidia-smi > /dev/null; then features=$features,cuda; fi
    [ "$(uname)" = Darwin ] && features=wgpu,metal
    (cd "$root" && cargo build --release --features "$features") >&2
    SORI=${CARGO_TARGET_DIR:-$root/target}/release/sori
fi
exec "${PYTHON:-python3}" "$root/benches/gpu/bench.py" --sori "$SORI" "$@"
