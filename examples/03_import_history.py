"""History from a CSV file: every line is accounted for, and a second import of the file adds nothing.

It runs the command line, `heedful import`, on a small file with the dirt that real files have.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROWS = """\
Invoice,Code,Description,Quantity,When,Price,Customer
1001,MUG,Blue mug,2,2026-05-01 10:00:00,4.50,ann
1001,TRAY,Tin tray,1,2026-05-01 10:00:00,9.90,ann
1002,MUG,Blue mug,1,2026-05-02 11:30:00,4.50,bob
1002,TRAY,Tin tray,1,2026-05-02 11:30:00,9.90,bob
1002,JUG,Milk jug,1,2026-05-02 11:30:00,12.00,bob
1003,MUG,Blue mug,1,2026-05-03 09:15:00,4.50,
1004,POST,Postage,1,2026-05-03 09:20:00,3.00,cy
1005,JUG,Milk jug,one,2026-05-03 09:30:00,12.00,cy
C1002,JUG,Milk jug,-1,2026-05-09 16:00:00,12.00,bob
"""
COLUMNS = {
    "order": "Invoice", "item": "Code", "title": "Description", "quantity": "Quantity",
    "time": "When", "price": "Price", "user": "Customer",
}  # fmt: skip


def heedful(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "heedful", *map(str, arguments)], check=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file, data = Path(folder, "orders.csv"), Path(folder, "data")
        file.write_text(ROWS, encoding="utf-8")
        mapping = [part for field, column in COLUMNS.items() for part in ("--map", f"{field}={column}")]
        options = [*mapping, "--event", "Order Completed", "--skip", "Code=POST", "--currency", "EUR"]
        for _ in range(2):
            heedful("import", file, "--data", data, *options)
        print((data / "refused-orders.csv.jsonl").read_text(encoding="utf-8"))
        heedful("recommend", "--data", data, "--item", "MUG", "--as-of", "2026-05-10T00:00:00Z")
        heedful("verify", "--data", data)


if __name__ == "__main__":
    main()
