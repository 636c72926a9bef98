"""A batch system that takes a workflow, says goodbye and works on by itself, as HTCondor and PanDA do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lsst.ctrl.bps import WmsStates
from lsst.ctrl.bps.parsl import ParslService
from lsst.ctrl.bps.parsl.workflow import ParslWorkflow

__all__ = ["DetachedService"]


class DetachedService(ParslService):
    def submit(self, workflow, **_words):
        workflow.run_id = workflow.path
        with Path(workflow.path, "detached.log").open("wb") as log:
            subprocess.Popen(
                [sys.executable, __file__, workflow.path], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def get_status(self, wms_workflow_id, hist=1, is_global=False):
        ended = Path(wms_workflow_id, "ended").exists()
        return (WmsStates.SUCCEEDED if ended else WmsStates.RUNNING), ""

    def cancel(self, wms_id, pass_thru=None):
        Path(wms_id, "cancelled").touch()
        return True, ""

    def list_submitted_jobs(self, wms_id=None, *_args, **_words):
        return [wms_id]


if __name__ == "__main__":
    place = sys.argv[1]
    workflow = ParslWorkflow.read(place)
    workflow.start()
    workflow.run()
    Path(place, "ended").touch()
