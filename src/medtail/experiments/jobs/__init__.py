"""Trainings as jobs: whatever is missing runs, in this process, in several, or on a cluster."""

from medtail.experiments.jobs.job import Job
from medtail.experiments.jobs.local_workers import LocalWorkers
from medtail.experiments.jobs.ray_workers import RayWorkers
from medtail.experiments.jobs.running import run_jobs
from medtail.experiments.jobs.workers import ThisProcess, Workers

__all__ = ["Job", "LocalWorkers", "RayWorkers", "ThisProcess", "Workers", "run_jobs"]
