"""The text format of Prometheus, read strictly enough to find mistakes in it."""

import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{((?:{LABEL}(?:,|(?=\}})))*)\}})? (\S+)")
COMMENT = re.compile(rf"# (?:HELP ({NAME}) .*|TYPE ({NAME}) (counter|gauge|histogram|untyped))")

Labels = frozenset[tuple[str, str]]


class Metrics:
    """The samples of one page, by name and labels."""

    def __init__(self, text: str):
        assert text.endswith("\n")
        self.types: dict[str, str] = {}
        self.samples: dict[tuple[str, Labels], float] = {}
        for line in text.splitlines():
            if line.startswith("#"):
                comment = COMMENT.fullmatch(line)
                assert comment, line
                if comment[2]:
                    assert comment[2] not in self.types, f"two types of {comment[2]}"
                    self.types[comment[2]] = comment[3]
            elif line:
                sample = SAMPLE.fullmatch(line)
                assert sample, line
                labels = frozenset(re.findall(LABEL, sample[2] or ""))
                assert (sample[1], labels) not in self.samples, f"twice: {line}"
                self.samples[sample[1], labels] = float(sample[5])

    def named(self, name: str) -> dict[Labels, float]:
        return {labels: value for (of, labels), value in self.samples.items() if of == name}

    def sum(self, name: str, **labels: str) -> float:
        """The sum of all samples of this name that have these labels."""
        wanted = set(labels.items())
        return sum(value for having, value in self.named(name).items() if wanted <= having)

    def assert_histogram(self, name: str) -> None:
        """Buckets grow, the last is +Inf and equals _count, and _sum is there."""
        assert self.types[name] == "histogram"
        series: dict[Labels, list[tuple[float, float]]] = {}
        for labels, value in self.named(f"{name}_bucket").items():
            bound = dict(labels)["le"]
            rest = labels - {("le", bound)}
            series.setdefault(rest, []).append((float(bound), value))
        assert series, name
        for labels, buckets in series.items():
            values = [value for _, value in sorted(buckets)]
            assert values == sorted(values), (name, labels)
            assert max(buckets)[0] == float("inf")
            assert values[-1] == self.samples[f"{name}_count", labels]
            assert self.samples[f"{name}_sum", labels] >= 0
