"""Circles and crosses whose lines keep their width on the screen, many thousands at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from vispy.gloo import IndexBuffer, VertexBuffer
from vispy.scene.visuals import create_visual_node
from vispy.visuals import Visual

if TYPE_CHECKING:
    from numpy.typing import NDArray

# each mark is a rectangle just large enough for its line: what is computed for pixels outside is what makes software OpenGL slow
VERTEX = """
uniform float u_line;
attribute vec2 a_centre;
attribute vec2 a_corner;
attribute float a_radius;
attribute float a_crossed;
attribute vec4 a_color;
varying vec2 v_offset;
varying float v_radius;
varying float v_crossed;
varying vec4 v_color;

void main() {
    vec4 middle = $visual_to_framebuffer(vec4(a_centre, 0.0, 1.0));
    vec4 rim = $visual_to_framebuffer(vec4(a_centre + vec2(a_radius, 0.0), 0.0, 1.0));
    v_radius = length(rim.xy / rim.w - middle.xy / middle.w);
    v_offset = a_corner * (v_radius + 0.5 * u_line + 1.0);
    v_crossed = a_crossed;
    v_color = a_color;
    middle.xy += v_offset * middle.w;
    gl_Position = $framebuffer_to_render(middle);
}
"""
FRAGMENT = """
uniform float u_line;
varying vec2 v_offset;
varying float v_radius;
varying float v_crossed;
varying vec4 v_color;

void main() {
    float away = abs(length(v_offset) - v_radius);
    if (v_crossed > 0.5) {
        vec2 folded = abs(v_offset);
        away = max(0.7071 * abs(folded.x - folded.y), length(folded) - v_radius);
    }
    float cover = clamp(0.5 * u_line + 0.5 - away, 0.0, 1.0);
    if (cover <= 0.0) discard;
    gl_FragColor = vec4(v_color.rgb, v_color.a * cover);
}
"""
CORNERS = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], np.float32)
TRIANGLES = np.array([0, 1, 2, 0, 2, 3], np.uint32)
RECORD = np.dtype(
    [
        ("a_centre", np.float32, 2),
        ("a_corner", np.float32, 2),
        ("a_radius", np.float32),
        ("a_crossed", np.float32),
        ("a_color", np.float32, 4),
    ]
)


class CirclesVisual(Visual):
    """The vispy visual; `Circles` is the node to put into a scene.

    Attributes
    ----------
    vertices : ndarray
        (4 n,) `RECORD`, the corners of what is drawn.
    """

    def __init__(self) -> None:
        super().__init__(vcode=VERTEX, fcode=FRAGMENT)
        self._vertices, self._indices = VertexBuffer(), IndexBuffer()
        self._line, self._count = 2.0, 0
        self.vertices: NDArray[Any] = np.empty(0, RECORD)
        self._draw_mode = "triangles"
        self._index_buffer = self._indices
        self.set_gl_state("translucent", depth_test=False, cull_face=False)
        self.freeze()

    def set_line(self, width: float) -> None:
        """Change the width of all lines, in pixels of the screen."""
        self._line = width
        self.update()

    def set_data(self, centres: NDArray[Any], radii: NDArray[Any], colors: NDArray[Any], crossed: NDArray[Any]) -> None:
        """Draw these and nothing else.

        Parameters
        ----------
        centres : ndarray
            (n, 2) right and down, in units of the scene.
        radii : ndarray
            (n,) in the same units.
        colors : ndarray
            (n, 4) RGBA.
        crossed : ndarray
            (n,) True for a cross in place of a circle.
        """
        self._count = len(centres)
        vertices = np.empty((self._count, 4), RECORD)
        self.vertices = vertices.ravel()
        if self._count:
            vertices["a_corner"] = CORNERS
            for name, values in (("a_centre", centres), ("a_radius", radii), ("a_crossed", crossed), ("a_color", colors)):
                vertices[name] = np.asarray(values)[:, None]
            self._vertices.set_data(self.vertices)
            self._indices.set_data((TRIANGLES + 4 * np.arange(self._count, dtype=np.uint32)[:, None]).ravel())
            self.shared_program.bind(self._vertices)
        self.update()

    def _prepare_transforms(self, view: Any) -> None:
        program = view.view_program
        program.vert["visual_to_framebuffer"] = view.get_transform("visual", "framebuffer")
        program.vert["framebuffer_to_render"] = view.get_transform("framebuffer", "render")

    def _prepare_draw(self, view: Any) -> bool | None:
        if not self._count:
            return False
        view.view_program["u_line"] = self._line * view.transforms.pixel_scale
        return None

    def _compute_bounds(self, _axis: int, _view: Any) -> None:
        return None  # the section decides what is seen, not what is marked on it


Circles = create_visual_node(CirclesVisual)
