"""The parts of paths that many routes share."""

from typing import Annotated

from fastapi import Depends, Path

from app.services.experiments.find import ExperimentPath

Username = Annotated[str, Path(description="The project's owner.", examples=["root"])]
AnyUsername = Annotated[str, Path(description="A user's name.", examples=["ada"])]
Caller = Annotated[str, Path(alias="username", description="The caller's name.", examples=["root"])]
ProjectName = Annotated[str, Path(description="The project's name.", examples=["quick-start"])]
BuildId = Annotated[int, Path(alias="id", description="The build's id.", examples=[1])]
ExperimentId = Annotated[int, Path(alias="id", description="The experiment's id.", examples=[1])]


async def get_experiment_path(
    username: Username, project_name: ProjectName, experiment_id: ExperimentId
) -> ExperimentPath:
    return ExperimentPath(username, project_name, experiment_id)


ExperimentPathDep = Annotated[ExperimentPath, Depends(get_experiment_path)]
