"""The table of figures: each with its floor, which is measured in the same run, and its target."""

import statistics


class Table:
    """Prints a row as soon as it is measured, and keeps it for JSON."""

    def __init__(self, stable=None):
        """`stable`: only what does not depend on the speed of the machine has a target; ratios have this margin."""
        self.rows, self.stable = [], stable
        print(f"{'':52} {'figure':>8}     {'floor':>8}  {'ratio':22} {'target':16}")

    def add(self, name, took, floor=None, target=None, ratio=None, unit="ms"):
        """`target` is a limit of the figure itself, `ratio` one of its ratio to the floor. The figure is the median."""
        value, base = statistics.median(took), statistics.median(floor) if floor else None
        row = {"name": name, "value": value, "unit": unit, "floor": base, "target": target, "target_ratio": ratio}
        if base:
            row["ratio"], row["spread"] = value / base, [min(took) / base, max(took) / base]
        limits = [value <= target] if target and not (self.stable and unit in ("ms", "s")) else []
        limits += [value / base <= ratio * (self.stable or 1)] if ratio else []
        row["met"] = all(limits) if limits else None
        self.rows.append(row)
        print(self.line(row), flush=True)

    def missed(self):
        return [row["name"] for row in self.rows if row["met"] is False]

    @staticmethod
    def line(row):
        floor = f"{row['floor']:8.2f}" if row["floor"] else " " * 8
        ratio = f"{row['ratio']:5.2f} ({row['spread'][0]:.2f} to {row['spread'][1]:.2f})" if row["floor"] else ""
        limits = [f"<= {row['target_ratio']} x floor"] if row["target_ratio"] else []
        limits += [f"<= {row['target']} {row['unit']}"] if row["target"] else []
        met = {True: "met", False: "MISSED", None: ""}[row["met"]]
        return f"{row['name']:52} {row['value']:8.2f} {row['unit']:3} {floor}  {ratio:22} {', '.join(limits):16} {met}"
