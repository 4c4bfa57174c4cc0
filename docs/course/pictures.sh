#!/usr/bin/env bash
# Trains the small networks of the course and draws all its pictures anew. Each must be looked at before it is committed.
#
#   docs/course/pictures.sh [FOLDER]    where runs and sounds are kept; what is there is not trained again
set -euo pipefail
repository=$(cd "$(dirname "$0")/../.." && pwd)
work=${1:-$(mktemp -d)}
mkdir -p "$work/runs"
work=$(cd "$work" && pwd)
pictures=$repository/docs/course/pictures
mkdir -p "$pictures"

# Other programs than those of a release build can be named.
if [ -z "${SORI:-}" ] || [ -z "${COURSE:-}" ]; then
    (cd "$repository" && cargo build --release --bin sori --example course)
    target=$(cd "$repository" && cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
    SORI=${SORI:-$target/release/sori} COURSE=${COURSE:-$target/release/examples/course}
fi
cd "$work"

# train NAME ARGUMENTS…: unless it is trained.
train() {
    local name=$1
    shift
    [ -f "runs/$name/result.json" ] || "$SORI" train "$@" --quiet --out "runs/$name"
}

"$COURSE" sounds sounds

train mlp mlp --recipe quick
"$COURSE" units runs/mlp "$pictures/units.png"

"$COURSE" convolution sounds/key.wav "$pictures/convolution.png"

train cnn1d cnn1d --recipe quick
"$COURSE" filters runs/cnn1d "$pictures/filters-cnn1d.png"
train sample_cnn sample_cnn --data synth:dtmf --recipe quick --epochs 8 \
    --set first_channels=32 --set 'channels=[32, 32, 64, 64, 128]'
"$COURSE" filters runs/sample_cnn "$pictures/filters-sample_cnn.png"

"$COURSE" gradients "$pictures/gradients.png"

train attention attention --recipe quick --set d_hidden=64 --set num_layers=1
"$COURSE" attention runs/attention sounds/key.wav "$pictures/attention.png"

"$SORI" features sounds/key.wav --kind waveform --out "$pictures/waveform.png"
"$SORI" features sounds/key.wav --out "$pictures/log-mel.png"
"$SORI" features sounds/key.wav --set normalize=utterance --augment noise,spec_augment --seed 1 --out "$pictures/varied.png"

"$COURSE" ctc "$pictures/ctc.png"
"$COURSE" peaks "$pictures/peaks.png"

train ds2 deep_speech2
"$COURSE" spikes runs/ds2 sounds/morse.wav "$pictures/spikes.png"

# Copies of the run after its first epochs, while it trains.
if [ ! -f runs/las/result.json ]; then
    "$SORI" train las --epochs 10 --quiet --out runs/las &
    training=$!
    for epoch in 1 4 7; do
        # The checkpoint of an epoch is written after its line.
        until [ -f runs/las/metrics.jsonl ] && [ "$(wc -l < runs/las/metrics.jsonl)" -ge "$epoch" ] &&
            [ runs/las/checkpoints/last.safetensors -nt runs/las/metrics.jsonl ]; do
            kill -0 "$training"
            sleep 1
        done
        cp -r runs/las "runs/las-$epoch"
    done
    wait "$training"
fi
"$COURSE" epochs sounds/morse.wav "$pictures/epochs.png" runs/las-1 runs/las-4 runs/las-7 runs/las

# The whole training of it, for the front page too.
train las-whole las
"$SORI" predict runs/las-whole sounds/morse.wav --alignment "$repository/docs/pictures/alignment.png"

[ -f runs/rate/curves.png ] || "$SORI" compare cnn1d --recipe paper --epochs 2 --seeds 1 --quiet --out runs/rate \
    --try learning_rate=0.0001 --try learning_rate=0.003 --try learning_rate=0.1
cp runs/rate/curves.png "$pictures/curves.png"

# They stay small.
find "$pictures" -name '*.png' -size +60k -exec echo 'over 60 kB:' {} +
du -ck "$pictures"/*.png | tail -n 1
