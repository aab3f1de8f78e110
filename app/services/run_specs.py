"""From an experiment's row to what a launcher is given."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from app.db.rows import AnyRow
from app.domain.lifecycle import Role
from app.domain.runs import JobRef, JobSpec, RunKind, RunSpec
from app.domain.spec.build import build_hash
from app.domain.spec.render import render_spec
from app.domain.spec.rendered import RenderedSpec
from app.domain.spec.templating import RenderContext
from app.domain.spec.variables import run_variables
from app.services.experiments.drafts import allowed, outputs_path
from app.settings import Settings


def render_row(settings: Settings, row: AnyRow) -> RenderedSpec:
    """The row's spec as create rendered it: the same arguments give the same result."""
    context = RenderContext(
        experiment_id=row.id,
        experiment_uuid=row.uuid,
        outputs_path=outputs_path(settings, row.outputs_uuid, row.outputs_volume),
        project_name=row.project_name,
        user=row.maker,
    )
    return render_spec(
        row.config,
        declarations=row.given_declarations,
        context=context,
        allowed=allowed(settings, enforced=False),
    )


def needs_build(rendered: RenderedSpec) -> bool:
    """Whether an environment has to be built; an image alone builds nothing."""
    return rendered.build is not None and rendered.build.needed


def hash_of_build(settings: Settings, rendered: RenderedSpec, row: AnyRow, flavour: str) -> str:
    """The name of what the build makes. `nocache` gives it one of its own."""
    assert rendered.build is not None
    salt = f"-{row.uuid}" if rendered.build.nocache else ""
    return build_hash(rendered.build, row.step_files or {}, f"{flavour}-{settings.default_image}{salt}")


def experiment_run(
    settings: Settings,
    row: AnyRow,
    rendered: RenderedSpec,
    jobs: Sequence[AnyRow],
    environment: str | None,
) -> RunSpec:
    """One attempt of an experiment, without its token. `jobs` are its rows, in the spec's order."""
    project = f"{row.owner}.{row.project_name}"
    build = rendered.build
    return RunSpec(
        uuid=row.uuid,
        kind=RunKind.EXPERIMENT,
        attempt=row.attempt,
        jobs=tuple(_job(spec, job, row.attempt) for spec, job in zip(rendered.jobs, jobs, strict=True)),
        command=rendered.command,
        variables=run_variables(
            declarations=rendered.declarations,
            log_level=rendered.log_level,
            project_name=project,
            project_uuid=row.project_uuid,
            experiment_name=f"{project}.{row.id}",
            experiment_uuid=row.uuid,
        ),
        framework=rendered.framework,
        principal=row.outputs_uuid,
        outputs=row.outputs_uuid,
        reads=tuple(row.reads),
        code=row.code,
        image=build.image if build else None,
        environment=environment,
        env_vars=build.env_vars if build else (),
        secret_refs=rendered.secret_refs,
        configmap_refs=rendered.configmap_refs,
        data_volumes=rendered.data_volumes,
        outputs_volume=row.outputs_volume,
        timeout=rendered.timeout,
        grace=settings.grace,
        labels={"project": project, "experiment": str(row.id)},
    )


def _job(spec: Any, job: AnyRow, attempt: int) -> JobSpec:
    return JobSpec(
        ref=JobRef(job.uuid, attempt),
        role=Role(spec.role),
        index=spec.index,
        resources=spec.resources,
        node_selector=spec.node_selector,
        affinity=spec.affinity,
        tolerations=spec.tolerations,
    )


def with_token(run: RunSpec, token: str | None) -> RunSpec:
    """The run as it is launched."""
    return replace(run, token=token)
