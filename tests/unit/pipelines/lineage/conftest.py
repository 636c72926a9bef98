"""A small production in a repository: two tracts go through tasks that do next to nothing.

Labels and dataset types are those of the production, so that the lineage is that of the production too.
"""

from __future__ import annotations

from types import new_class

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pzcenter.schema import arrow_schema

SKYMAP, RUN = "sky", "r/c/step1/001"
TRACTS = {3: [31, 35, 38], 4: [36, 41]}


def object_table(tract):
    return pa.table({"objectId": TRACTS[tract], "tract": [tract] * len(TRACTS[tract])})


def plan_table():
    return pa.table(
        {"tract": list(TRACTS), "n_obj": [len(ids) for ids in TRACTS.values()],
         "id_min": [min(ids) for ids in TRACTS.values()], "id_max": [max(ids) for ids in TRACTS.values()]}
    )  # fmt: skip


def model_table():
    row = {"model_id": 0, "algorithm": "template", "version": "1.0", "bands": "g,r,i", "z_min": 0.0, "z_max": 3.0,
           "n_z": 301, "config": "{}", "checksum": "f" * 64, "training_checksum": "9" * 64, "n_train": 10,
           "training_data": "a survey", "created": None}  # fmt: skip
    return pa.Table.from_pylist([row], schema=arrow_schema("pz_model"))


def tasks():
    """Classes of the tasks by label; the middleware is imported for these tests only."""
    from lsst.pipe.base import PipelineTask, PipelineTaskConfig, PipelineTaskConnections, Struct, connectionTypes

    tract, release = ("skymap", "tract"), ("skymap",)

    def connection(kind, name, dimensions, **settings):
        return kind(name=name, storageClass="ArrowTable", dimensions=dimensions, doc=name, **settings)

    def task(label, dimensions, run, **connections):
        made = new_class(
            f"{label}Connections",
            (PipelineTaskConnections,),
            {"dimensions": dimensions},
            lambda d: d.update(connections),
        )
        config = new_class(f"{label}Config", (PipelineTaskConfig,), {"pipelineConnections": made})
        return type(label, (PipelineTask,), {"ConfigClass": config, "_DefaultName": label, "run": run})

    def skinny(self, objects):
        self.metadata["n_out"] = objects.num_rows
        return Struct(rows=objects)

    def summarise(self, rows):
        return Struct(plan=plan_table())

    def estimate(self, rows, plan):
        z_best = pa.array([0.5] * rows.num_rows, pa.float32())
        model_id = pa.array([0] * rows.num_rows, pa.int16())
        return Struct(estimate=rows.append_column("z_best", z_best).append_column("model_id", model_id))

    def index(self, estimates):
        return Struct(models=model_table())

    def join(self, objects, estimate, models):
        return Struct(joined=estimate)

    Input, Output = connectionTypes.Input, connectionTypes.Output
    return {
        "skinny": task(
            "skinny", tract, skinny,
            objects=connection(Input, "object", tract), rows=connection(Output, "pz_skinny", tract),
        ),
        "summariseRelease": task(
            "summariseRelease", release, summarise,
            rows=connection(Input, "pz_skinny", tract, multiple=True),
            plan=connection(Output, "pz_tract_plan", release),
        ),
        "estimatePz": task(
            "estimatePz", tract, estimate,
            rows=connection(Input, "pz_skinny", tract), plan=connection(Input, "pz_tract_plan", release),
            estimate=connection(Output, "pz_estimate_template", tract),
        ),
        "modelIndex": task(
            "modelIndex", release, index,
            estimates=connection(Input, "pz_estimate_template", tract, multiple=True),
            models=connection(Output, "pz_model_template", release),
        ),
        "joinPz": task(
            "joinPz", tract, join,
            objects=connection(Input, "object", tract), estimate=connection(Input, "pz_estimate_template", tract),
            models=connection(Input, "pz_model_template", release),
            joined=connection(Output, "pz_template", tract),
        ),
    }  # fmt: skip


@pytest.fixture(scope="session")
def production(tmp_path_factory):
    """Repository, directory with the graph file."""
    from lsst.daf.butler import Butler, CollectionType, DatasetRef, DatasetType, FileDataset
    from lsst.pipe.base import TaskFactory
    from lsst.pipe.base.all_dimensions_quantum_graph_builder import AllDimensionsQuantumGraphBuilder
    from lsst.pipe.base.pipeline_graph import PipelineGraph
    from lsst.pipe.base.single_quantum_executor import SingleQuantumExecutor

    root, campaign = tmp_path_factory.mktemp("repo"), tmp_path_factory.mktemp("campaign")
    Butler.makeRepo(str(root))
    with Butler.from_config(str(root), writeable=True) as butler:
        butler.registry.insertDimensionData(
            "skymap", {"name": SKYMAP, "hash": b"sky", "tract_max": 9, "patch_nx_max": 1, "patch_ny_max": 1}
        )
        butler.registry.insertDimensionData("tract", *[{"skymap": SKYMAP, "id": tract} for tract in TRACTS])
        kind = DatasetType("object", ("skymap", "tract"), "ArrowTable", universe=butler.dimensions)
        butler.registry.registerDatasetType(kind)
        butler.collections.register("r/raw", CollectionType.RUN)
        for tract in TRACTS:
            path = root / f"tract_{tract}.parquet"
            pq.write_table(object_table(tract), path)
            data_id = butler.registry.expandDataId(skymap=SKYMAP, tract=tract)
            butler.ingest(FileDataset(str(path), DatasetRef(kind, data_id, run="r/raw")), transfer="direct")
        pipeline_graph = PipelineGraph(universe=butler.dimensions)
        for label, task in tasks().items():
            pipeline_graph.add_task(label, task)
        pipeline_graph.resolve(butler.registry)
        builder = AllDimensionsQuantumGraphBuilder(
            pipeline_graph, butler, output_run=RUN, input_collections=["r/raw"]
        )  # fmt: skip
        components = builder.finish(attach_datastore_records=True)
        components.write(str(campaign / "step1.qg"))
        graph = components.assemble()
        pipeline_graph.register_dataset_types(butler)
        writer = butler.clone(run=RUN)
        graph.init_output_run(writer)
        executor = SingleQuantumExecutor(butler=writer, task_factory=TaskFactory())
        quanta = graph.build_execution_quanta()
        for number in graph:
            label = graph.quantum_only_xgraph.nodes[number]["task_label"]
            executor.execute(graph.pipeline_graph.tasks[label], quanta[number], quantum_id=number)
        butler.collections.register("r/c", CollectionType.CHAINED)
        butler.collections.redefine_chain("r/c", [RUN, "r/raw"])
    return root, campaign
