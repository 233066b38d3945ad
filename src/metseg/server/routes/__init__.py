"""What can be asked: one router for each topic."""

from metseg.server.routes import health, jobs, models, predict

ROUTERS = (predict.router, jobs.router, models.router, health.router)

__all__ = ["ROUTERS"]
