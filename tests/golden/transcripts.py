"""Golden values for the error rates of transcripts, from jiwer 4.0.0.

    python tests/golden/transcripts.py

writes tests/golden/transcripts.json, which tests/golden/transcripts.rs reads: sets of random references and of
what is left of them after random edits, and the word and character error rates jiwer gives each set.
"""

import json
import random
from pathlib import Path

import jiwer

random.seed(0)
WORDS = ["a", "on", "one", "two", "tone", "소리", "소", "리듬", "음악", "three"]
cases = []
for size in [1, 5, 20]:
    references, hypotheses = [], []
    for _ in range(size):
        reference = random.choices(WORDS, k=random.randint(1, 8))
        hypothesis = []
        for word in reference:
            draw = random.random()
            hypothesis += [] if draw < 0.15 else [random.choice(WORDS)] if draw < 0.4 else [word]
            hypothesis += [random.choice(WORDS)] if random.random() < 0.15 else []
        references.append(" ".join(reference))
        hypotheses.append(" ".join(hypothesis))
    cases.append(
        {
            "references": references,
            "hypotheses": hypotheses,
            "wer": jiwer.wer(references, hypotheses),
            "cer": jiwer.cer(references, hypotheses),
        }
    )
Path(__file__).with_suffix(".json").write_text(json.dumps(cases, ensure_ascii=False))
