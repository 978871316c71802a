"""Spearman's correlation over resamples of pairs, drawn with replacement: what its intervals and differences come from.

Draws depend on the number of pairs and the seed alone, so that those of two systems on the same pairs are paired.
"""
import random


def groups(values):
    """Indices of equal values together, in rising order."""
    rising, found = sorted(range(len(values)), key=values.__getitem__), []
    for i in rising:
        if found and values[found[-1][-1]] == values[i]:
            found[-1].append(i)
        else:
            found.append([i])
    return found


def centred_ranks(tied, times):
    """Of every value, its rank less the mean rank where value i is there times[i] times; ties share theirs."""
    ranks, below, middle = [0.0] * len(times), 0, sum(times) / 2
    for group in tied:
        count = sum([times[i] for i in group])
        rank = below + count / 2 - middle
        for i in group:
            ranks[i] = rank
        below += count
    return ranks


def correlation(times, x, y):
    """Of centred ranks; 0 where one has no variance."""
    xy = sum([t * a * b for t, a, b in zip(times, x, y)])
    xx, yy = (sum([t * a * a for t, a in zip(times, ranks)]) for ranks in (x, y))
    return xy / (xx * yy) ** 0.5 if xx * yy > 0 else 0.0


def resamples(count, draws, seed):
    """How often each pair is drawn, in each resample."""
    draw = random.Random(seed)
    for _ in range(draws):
        times = [0] * count
        for i in draw.choices(range(count), k=count):
            times[i] += 1
        yield times


def resampled(labels, systems, draws, seed):
    """A list of `draws` correlations with the labels for each system's scores."""
    label_groups, found = groups(labels), [(groups(scores), []) for scores in systems]
    for times in resamples(len(labels), draws, seed):
        label_ranks = centred_ranks(label_groups, times)
        for tied, values in found:
            values.append(correlation(times, centred_ranks(tied, times), label_ranks))
    return [values for _, values in found]
