"""When a run will end, from how far it was when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

MOST = 72
"""Moments that are kept; of a longer history every second one is forgotten."""
ANEW = 0.02
"""A run that is so much less far than before has begun anew."""
LEAST = 4
"""Moments below which nothing can be said."""
PAUSE = 1.6
"""A stretch so many times slower than usual has a pause in it, such as an evaluation."""
DRIFT, CHANCE = 0.05, 5.0
"""The pace has changed when it differs by a larger part, and by so many times its noise."""
EACH_SIDE = 4
"""Stretches on each side of a change."""
SKIPPED = 4.0
"""A beginning so many times faster than the rest was not gone but skipped."""
UNSEEN = 0.5
"""The first stretch is a larger part of the way when only the end of a log was read."""
FASTER, SLOWER = 0.8, 1.8
"""What was not seen was at another pace when all of it was so many times slower than the end;
it may have had pauses, and cannot have been much faster."""
AROUND = 6
"""Stretches on each side that say what is usual."""
REGULAR = 12
"""More pauses than that are told by how many there were, not by where."""

_Stretch = tuple[float, float, float]
"""Where it begins, the part of the run that it is, and the seconds that it took."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Moments of a run: seconds of one clock, and the part that was done then, 0 to 1."""

    moments: tuple[tuple[float, float], ...] = ()

    def at(self, seconds: float, done: float) -> Pace:
        """With one more moment. A run that is less far than before has begun anew."""
        known = self.moments
        if known and (done < known[-1][1] - ANEW or seconds < known[-1][0] - 1.5):
            return Pace(((seconds, done),))
        if known and done < known[-1][1]:
            return self
        if len(known) >= 2 and seconds <= known[-1][0]:
            return Pace((*known[:-1], (known[-1][0], done)))  # within one tick of the clock
        if len(known) >= 2 and done - known[-2][1] <= 1e-12:
            return Pace((*known[:-1], (seconds, done)))  # it stands still: only since when counts
        if len(known) >= MOST:
            known = (*known[:-1:2], known[-1])
        if len(known) > 1 and done - known[-2][1] < (known[-1][1] - known[0][1]) / MOST / 2:
            known = known[:-1]  # finer than what is kept of the rest
        return Pace((*known, (seconds, done)))

    def left(self, idle: float = 0.0) -> float | None:
        """Seconds to the end, `idle` seconds after the last moment; None while that cannot be
        told yet."""
        stretches = _from_start(_stretches(self.moments))
        if len(stretches) < LEAST:
            return None
        done = self.moments[-1][1]
        if done >= 1.0:
            return 0.0
        if stretches[0][1] > UNSEEN * sum(part for _, part, _ in stretches):
            return _glimpsed(stretches) * (1.0 - done)
        usual = _usual(stretches)
        warm = _warm(stretches, usual)
        steady, usual = stretches[warm:], usual[warm:]
        over = [
            took - each * part if took > PAUSE * each * part else 0.0
            for (_, part, took), each in zip(steady, usual, strict=True)
        ]
        plain = [
            (at, part, took - more) for (at, part, took), more in zip(steady, over, strict=True)
        ]
        now = _pace_now(plain)
        pauses = _pauses(steady, over)
        left = now * (1.0 - done)
        # The last pause may not be over: it lasts as long as those before.
        last = pauses.pop() if over[-1] and len(pauses) > 1 else None
        usually = sum(seconds for _, seconds in pauses) / len(pauses) if pauses else 0.0
        if last:
            left += max(0.0, usually - last[1])
        left += usually * _pauses_left([at for at, _ in (*pauses, *([last] if last else []))], done)
        return max(0.0, left - min(idle, max(usually, 2 * now * steady[-1][1])))

    @property
    def mean_left(self) -> float | None:
        """The same as if all went on as fast as it went on the whole."""
        if len(self.moments) < 2:
            return None
        (begun, first), (now, last) = self.moments[0], self.moments[-1]
        return (now - begun) / (last - first) * (1.0 - last) if last > first else None


def _stretches(moments: Sequence[tuple[float, float]]) -> list[_Stretch]:
    found: list[_Stretch] = []
    for (begin, at), (end, done) in pairwise(moments):
        if done > at:
            found.append((at, done - at, max(0.0, end - begin)))
        elif found:
            before = found[-1]
            found[-1] = (before[0], before[1], before[2] + max(0.0, end - begin))
    return found


def _from_start(stretches: list[_Stretch]) -> list[_Stretch]:
    """Without a beginning that was skipped: a run that goes on from a checkpoint."""
    while len(stretches) > LEAST:
        rest = stretches[1:]
        _, part, took = stretches[0]
        if took / part * SKIPPED > _median(rest):
            break
        stretches = rest
    return stretches


def _median(stretches: Sequence[_Stretch]) -> float:
    """Seconds for the whole at the pace that half of the way was faster than."""
    paces = sorted((took / part, part) for _, part, took in stretches)
    half = sum(part for _, part in paces) / 2
    for pace, part in paces:
        half -= part
        if half <= 0:
            return pace
    return paces[-1][0]


def _mean(stretches: Sequence[_Stretch]) -> float:
    whole = sum(part for _, part, _ in stretches)
    return sum(took for _, _, took in stretches) / whole


def _usual(stretches: Sequence[_Stretch]) -> list[float]:
    """The pace around each stretch, whatever single ones took: the slower of that before and of
    that after it, so that a change of the pace is no pause."""
    found = []
    for place in range(len(stretches)):
        before, after = stretches[max(0, place - AROUND) : place], stretches[place + 1 :][:AROUND]
        found.append(max(_median(some) for some in (before, after) if some))
    return found


def _warm(stretches: Sequence[_Stretch], usual: Sequence[float]) -> int:
    """How many stretches at the beginning are slower than usual: compiling, filling caches."""
    count = 0
    for (_, part, took), each in zip(stretches[: len(stretches) // 2], usual, strict=False):
        if took <= PAUSE * each * part:
            break
        count += 1
    return count


def _glimpsed(stretches: Sequence[_Stretch]) -> float:
    """The pace of a run of which only the end was seen: that of all of it, unless the end is
    another by far, as after a start from a checkpoint."""
    whole, seen = _mean(stretches), _median(stretches[1:])
    return whole if FASTER < whole / max(seen, 1e-9) < SLOWER else seen


def _pace_now(plain: Sequence[_Stretch]) -> float:
    """The mean pace since it last changed, if ever it did, by more than by chance."""
    best: tuple[float, float] | None = None
    whole = _mean(plain)
    for cut in range(EACH_SIDE, len(plain) - EACH_SIDE + 1):
        early, late = plain[:cut], plain[cut:]
        before, after = _mean(early), _mean(late)
        spread = (_spread(early, before) + _spread(late, after)) / (len(plain) - 2)
        chance = (spread * (1 / len(early) + 1 / len(late))) ** 0.5
        gap = abs(after - before)
        if gap > max(DRIFT * whole, CHANCE * chance) and (best is None or gap / chance > best[0]):
            best = (gap / max(chance, 1e-9), after)
    return best[1] if best else whole


def _spread(stretches: Sequence[_Stretch], mean: float) -> float:
    return sum((took / part - mean) ** 2 for _, part, took in stretches)


def _pauses(steady: Sequence[_Stretch], over: Sequence[float]) -> list[tuple[float, float]]:
    """Where pauses were and how long; what is side by side is one."""
    found: list[tuple[float, float]] = []
    joined = False
    for (at, part, _), more in zip(steady, over, strict=True):
        if more and joined:
            found[-1] = (found[-1][0], found[-1][1] + more)
        elif more:
            found.append((at + part, more))
        joined = more > 0
    return found


def _pauses_left(places: Sequence[float], done: float) -> float:
    """How many pauses are to come, if they come as they did: after equal parts of the way."""
    if not places:
        return 0.0
    if len(places) > REGULAR:
        return len(places) * (1.0 - done) / max(done, 1 / MOST)
    first, last = places[0], places[-1]
    period = (last - first) / (len(places) - 1) if len(places) > 1 else first
    if len(places) < 0.6 * (last / max(period, 1 / MOST)):  # now and then, for no known reason
        return len(places) * (1.0 - done) / max(done, 1 / MOST)
    return float(max(0, int((1.0 - last) / max(period, 1 / MOST) + 0.1)))
