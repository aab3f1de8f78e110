"""What the flows train: prints lines, writes outputs that are larger than a client's memory should be."""

OUTPUT_SIZE = 160 * 1024 * 1024

TRAIN = f"""\
import os, pathlib, sys, time
outputs = pathlib.Path(os.environ["POLYAXON_RUN_OUTPUTS_PATH"])
(outputs / "notes").mkdir(exist_ok=True)
(outputs / "notes" / "result.txt").write_text("done\\n")
with open(outputs / "model.bin", "wb") as file:
    for _ in range({OUTPUT_SIZE} >> 20):
        file.write(os.urandom(1 << 20))
for number in range(int(sys.argv[1])):
    print("line", number, flush=True)
    time.sleep(0.002)
"""
