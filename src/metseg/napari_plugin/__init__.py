"""The napari plugin: reader, writer, sample data and the segmentation widget.

Everything here is reached through the manifest ``metseg/napari.yaml``, so nothing is imported up front.
A study becomes layers in :mod:`metseg.napari_plugin.layers`; the widget is a view (``widget``) of a Qt-free
state (``state``) that a controller (``controller``) keeps in step with the viewer.
"""

__all__: list[str] = []
