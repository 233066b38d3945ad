"""What Slicer's MONAI Label extension, and the published ``monailabel`` client, can ask."""

from metseg.server.slicer.routes import auth, datastore, infer, info, samples, sessions, training

ROUTERS = (info.router, samples.router, datastore.router, infer.router, sessions.router, training.router, auth.router)
OPEN_ROUTERS = (auth.open_router,)

__all__ = ["OPEN_ROUTERS", "ROUTERS"]
