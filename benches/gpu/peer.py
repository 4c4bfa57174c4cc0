"""One preset of `benches/peers/torch_peer.py` on a card, eager or compiled, with TF32 or without.

    python benches/gpu/peer.py PRESET [--compile] [--tf32] [--autocast f16|bf16] [--steps N] [--warm-up N]

prints the median in milliseconds and the peak memory of the card as a line of JSON. A step ends with its loss on the
host, as Sori's does.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))
import torch
import torch_peer


class Autocast(torch.nn.Module):
    """A network whose forward pass rounds what PyTorch's autocast rounds."""

    def __init__(self, network, precision):
        super().__init__()
        self.network = network
        self.dtype = {"f16": torch.float16, "bf16": torch.bfloat16}[precision]

    def forward(self, *inputs):
        with torch.autocast("cuda", dtype=self.dtype):
            return self.network(*inputs).float()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("preset")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--tf32", action="store_true")
    parser.add_argument("--autocast", choices=["f16", "bf16"], help="without a scaled loss")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--warm-up", type=int, default=5)
    args = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("PyTorch finds no card")
    torch.set_default_device("cuda")
    torch.backends.cuda.matmul.allow_tf32 = args.tf32
    torch.backends.cudnn.allow_tf32 = args.tf32
    if args.compile:
        eager = torch_peer.model
        torch_peer.model = lambda name, **sizes: torch.compile(eager(name, **sizes))
    if args.autocast:
        full = torch_peer.model
        torch_peer.model = lambda name, **sizes: Autocast(full(name, **sizes), args.autocast)
    work, params = torch_peer.ctc() if args.preset == "ctc" else torch_peer.training_step(args.preset)
    times = []
    for index in range(args.warm_up + args.steps):
        torch.cuda.synchronize()
        start = time.perf_counter()
        work()
        torch.cuda.synchronize()
        if index >= args.warm_up:
            times.append((time.perf_counter() - start) * 1e3)
    peak = torch.cuda.max_memory_reserved() / 2**20
    print(json.dumps({"median_ms": statistics.median(times), "params": params, "peak_mib": peak}))


if __name__ == "__main__":
    main()
