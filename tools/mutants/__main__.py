"""`python -m tools.mutants`: whether the tests detect mutants of the source.

Exit code 0: all are detected; 1: some survive; 2: the list does not fit the source, or the tests
could not be run.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from random import Random

from tools.mutants.registry import ROOT, BadList, Mutant, problems_of, read_mutants
from tools.mutants.running import Trial, Verdict, run_unchanged, try_all

TAIL_LINES = 25
ALREADY_FAILING = "a test of it fails without it, too: mend that first"


def main() -> int:
    """Run the command."""
    options = _read_options()
    try:
        mutants = read_mutants()
    except BadList as error:
        print(error, file=sys.stderr)
        return 2
    if problems := problems_of(mutants):
        print("\n\n".join(problems), file=sys.stderr)
        print(f"\n{len(problems)} entries of tools/mutants/lists do not fit.", file=sys.stderr)
        return 2
    if options.check:
        print(f"{len(mutants)} mutants fit the source.")
        return 0
    chosen = _choose(mutants, options)
    if options.list:
        for mutant in chosen:
            print(f"{mutant.id:24} {mutant.file}: {mutant.breaks}")
        return 0
    if not chosen:
        print(f"No mutant is called {' or '.join(options.only)}.", file=sys.stderr)
        return 2
    return _run(chosen, options)


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="ID", help="repeatable")
    parser.add_argument("--sample", type=int, metavar="N", help="so many, chosen by the seed")
    parser.add_argument("--seed", default="0", help="any text; the same one chooses the same")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at the same time")
    parser.add_argument("--timeout", type=float, default=300, help="seconds for one mutant")
    parser.add_argument("--list", action="store_true", help="print them, try none")
    parser.add_argument("--check", action="store_true", help="only whether they fit the source")
    return parser.parse_args()


def _choose(mutants: Sequence[Mutant], options: argparse.Namespace) -> list[Mutant]:
    chosen = [each for each in mutants if not options.only or each.id in options.only]
    if options.sample is not None and options.sample < len(chosen):
        chosen = Random(options.seed).sample(chosen, options.sample)
    return chosen


def _run(chosen: Sequence[Mutant], options: argparse.Namespace) -> int:
    unchanged = run_unchanged(chosen, ROOT, timeout=options.timeout * len(chosen))
    if not unchanged.has_run:
        print(unchanged.output, file=sys.stderr)
        print("The tests cannot be run without any mutant either.", file=sys.stderr)
        return 2
    spoilt = [mutant for mutant in chosen if unchanged.spoils(mutant)]
    trials = [Trial(mutant, Verdict.BROKEN, 0.0, ALREADY_FAILING) for mutant in spoilt]
    sound = [mutant for mutant in chosen if mutant not in spoilt]
    for trial in try_all(sound, ROOT, jobs=options.jobs, timeout=options.timeout):
        late = " (time-out)" if trial.is_late else ""
        print(
            f"{trial.verdict:9}{trial.seconds:6.1f} s  {trial.mutant.id:24} "
            f"{trial.mutant.breaks}{late}",
            flush=True,
        )
        trials.append(trial)
    for trial in trials:
        if trial.verdict is not Verdict.KILLED:
            _explain(trial)
    counts = [sum(each.verdict is verdict for each in trials) for verdict in Verdict]
    print("{} killed, {} survived, {} broken".format(*counts))
    if any(trial.verdict is Verdict.BROKEN for trial in trials):
        return 2
    return int(any(trial.verdict is Verdict.SURVIVED for trial in trials))


def _explain(trial: Trial) -> None:
    mutant = trial.mutant
    print(f"\n{mutant.id} {trial.verdict}: {mutant.breaks}\n{mutant.file}")
    print("".join(f"  - {line}\n" for line in mutant.old.splitlines()), end="")
    print("".join(f"  + {line}\n" for line in mutant.new.splitlines()), end="")
    print(f"  tests: {' '.join(mutant.tests)}")
    if trial.verdict is Verdict.BROKEN:
        print("\n".join(f"  | {line}" for line in trial.output.splitlines()[-TAIL_LINES:]))


if __name__ == "__main__":
    sys.exit(main())
