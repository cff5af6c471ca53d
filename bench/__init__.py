"""The bench: how fast Parley is, as ratios to what else could do the same work, in one run on one machine.

    python -m bench [scenario …] [--rounds 5] [--out bench/results]       see `python -m bench --help`

1. Times of one machine mean little on another. So whatever is compared is up at the same time and takes turns, round
   after round (A B C A B C …), and what is told is the median of the rounds.
2. The load comes from processes of their own (`crowd`), which count bytes and note times, and do nothing else. Each
   tells its own CPU, so that one can see that it was not what we measured.
3. Every number goes to a JSON file beside a description of the machine; `report` writes docs/bench.md from those
   files alone.
"""
