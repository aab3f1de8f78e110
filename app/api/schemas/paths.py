"""The parts of paths that many routes share."""

from typing import Annotated

from fastapi import Depends, Path

from app.services.experiments.find import ExperimentPath

MAX_ID = 2**63 - 1

Username = Annotated[str, Path(description="The project's owner.", examples=["root"], max_length=128)]
ProjectName = Annotated[
    str, Path(description="The project's name.", examples=["quick-start"], max_length=128)
]
ExperimentId = Annotated[
    int, Path(alias="id", description="The experiment's id.", examples=[1], ge=1, le=MAX_ID)
]


async def get_experiment_path(
    username: Username, project_name: ProjectName, experiment_id: ExperimentId
) -> ExperimentPath:
    return ExperimentPath(username, project_name, experiment_id)


ExperimentPathDep = Annotated[ExperimentPath, Depends(get_experiment_path)]
