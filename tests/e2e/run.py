"""All end-to-end tests in one process; see run.sh."""

import importlib
import sys
import time
import traceback

import harness

TESTS = ["running_example", "same_verdicts", "postmap"]


def main(names):
    report = harness.Report()
    try:
        harness.require_tools()
    except harness.SetupError as error:
        report.check(False, "setup", error)
        names = []
    for name in names:
        start = time.monotonic()
        before = report.failed
        try:
            importlib.import_module("test_" + name).run(report, [])
        except Exception as error:  # one broken test must not hide the others
            if not isinstance(error, harness.SetupError):
                traceback.print_exc()
            report.check(False, "%s ran to its end" % name, error)
        report.note("== %s: %s, %.1f s" % (name, "failed" if report.failed > before else "ok",
                                           time.monotonic() - start))
    for failure in report.failures:
        report.note("failed: " + failure)
    report.note(report.summary())
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or TESTS))
