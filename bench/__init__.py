"""The bench measures how fast Parley is, compared with other servers that do the same work on the same machine.

    python -m bench [scenario …] [--rounds 5] [--out bench/results]       see `python -m bench --help`

1. Times depend on the machine. So all servers of a comparison run at the same time and are measured in turn, round
   after round (A B C A B C …). A result is the median of the rounds.
2. The load comes from separate processes (`crowd`), which only count frames and record times. Each reports its own CPU
   time, to show that the client was not the limit.
3. Every scenario writes a JSON file with its numbers and a description of the machine. `report` makes the tables of
   docs/bench.md from those files alone.
"""
