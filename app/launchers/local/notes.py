"""What one machine can't give of what a spec asks, said once."""

from app.domain.runs import RunSpec


def notes(run: RunSpec) -> str | None:
    """One sentence, or None where nothing is missing."""
    missing: list[str] = []
    image = run.build.image if run.build is not None else run.image
    if image is not None:
        missing.append(f"the image {image}")
    if any(job.node_selector for job in run.jobs):
        missing.append("node_selector")
    if any(job.affinity for job in run.jobs):
        missing.append("affinity")
    if any(job.tolerations for job in run.jobs):
        missing.append("tolerations")
    if any(job.resources.limits.cpu is not None for job in run.jobs):
        missing.append("limits of cores")
    if not missing:
        return None
    return f"runs as processes of one machine, without effect here: {', '.join(missing)}"
