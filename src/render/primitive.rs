//! What everything is made of: spheres, rounded cones and boxes under an affine map.
//!
//! Each primitive lives in a local space of its own; `local_from_camera` takes a ray of the camera there, and the ray
//! parameter is the same in both (affine maps keep it). So a torso is a rounded cone that is flattened, and a head a
//! sphere that is stretched. The ray of a pixel is `t * (x, y, 1)`, hence t is the depth along the optical axis, m.
//! Rounded cone: the hull of two spheres (intersection after I. Quilez, "Rounded cone - intersection", for directions
//! of any length).

use nalgebra::{Matrix3, Vector3};

/// Nearer than this to the camera nothing is drawn, m.
pub(super) const NEAREST: f32 = 0.1;

/// The shape in local space.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shape {
    /// Unit sphere about the origin.
    Sphere,
    /// Hull of a sphere of radius `ra` about the origin and one of radius `rb` about (0, 0, `length`).
    RoundCone {
        /// Distance of the centres.
        length: f32,
        /// Radius at the origin.
        ra: f32,
        /// Radius at the other end.
        rb: f32,
    },
    /// The cube from -1 to 1.
    Cube,
}

/// A primitive as the camera sees it.
#[derive(Clone, Debug)]
pub(super) struct Primitive {
    pub(super) shape: Shape,
    /// Local axes in the camera frame, as columns.
    pub(super) camera_from_local: Matrix3<f32>,
    pub(super) local_from_camera: Matrix3<f32>,
    /// Local origin in the camera frame.
    pub(super) center: Vector3<f32>,
    /// The camera in local space.
    pub(super) eye: Vector3<f32>,
    /// Only where `normal . local_point <= offset` there is a surface.
    pub(super) clip: Option<(Vector3<f32>, f32)>,
    /// Whose it is: an index of a person, or [`Primitive::NOBODY`].
    pub(super) owner: usize,
}

impl Primitive {
    /// Owner of what is no person.
    pub(super) const NOBODY: usize = usize::MAX;

    /// `None` where the axes span no volume.
    pub(super) fn new(shape: Shape, camera_from_local: Matrix3<f32>, center: Vector3<f32>) -> Option<Self> {
        let local_from_camera = camera_from_local.try_inverse()?;
        let eye = -(local_from_camera * center);
        let is_finite = eye.iter().chain(local_from_camera.iter()).all(|value| value.is_finite());
        is_finite.then_some(Self {
            shape,
            camera_from_local,
            local_from_camera,
            center,
            eye,
            clip: None,
            owner: Self::NOBODY,
        })
    }

    /// Depth at which the ray along `direction` = (x, y, 1) enters; `None` where it misses.
    #[inline]
    pub(super) fn depth_along(&self, direction: &Vector3<f32>) -> Option<f32> {
        let ray = self.local_from_camera * direction;
        let depth = match self.shape {
            Shape::Sphere => enter_sphere(&self.eye, &ray),
            Shape::RoundCone { length, ra, rb } => enter_round_cone(&self.eye, &ray, length, ra, rb),
            Shape::Cube => enter_cube(&self.eye, &ray),
        }?;
        if depth < NEAREST {
            return None;
        }
        if let Some((normal, offset)) = &self.clip
            && normal.dot(&(self.eye + ray * depth)) > *offset
        {
            return None;
        }
        Some(depth)
    }

    /// Columns (low, high) of a row between which the ray `base + step * column` may hit, when that is known: the rays
    /// for which the discriminant, a quadratic in the column, is positive. `None` where none does.
    #[inline]
    pub(super) fn span(&self, base: &Vector3<f32>, step: &Vector3<f32>) -> Option<(f32, f32)> {
        let (base, step) = (self.local_from_camera * base, self.local_from_camera * step);
        // under(column) = linear² − constant * quadratic
        let (linear, constant, quadratic) = match self.shape {
            Shape::Cube => return Some(EVERYWHERE),
            Shape::Sphere => {
                let linear = (self.eye.dot(&base), self.eye.dot(&step));
                let quadratic = (base.norm_squared(), 2.0 * base.dot(&step), step.norm_squared());
                (linear, self.eye.norm_squared() - 1.0, quadratic)
            }
            Shape::RoundCone { length, ra, rb } => {
                let slope = ra - rb;
                let (m0, m1) = (length * length, length * self.eye.z);
                let d2 = m0 - slope * slope;
                if !(d2 > 0.0) {
                    return Some(EVERYWHERE);
                }
                let along = |ray: &Vector3<f32>| d2 * self.eye.dot(ray) + length * ray.z * (slope * ra - m1);
                let square = |one: &Vector3<f32>, other: &Vector3<f32>| d2 * one.dot(other) - m0 * one.z * other.z;
                let constant = d2 * self.eye.norm_squared() - m1 * m1 + m1 * slope * ra * 2.0 - m0 * ra * ra;
                let quadratic = (square(&base, &base), 2.0 * square(&base, &step), square(&step, &step));
                ((along(&base), along(&step)), constant, quadratic)
            }
        };
        let a = linear.1 * linear.1 - constant * quadratic.2;
        let b = 2.0 * linear.0 * linear.1 - constant * quadratic.1;
        let c = linear.0 * linear.0 - constant * quadratic.0;
        if !(a < 0.0) {
            return Some(EVERYWHERE);
        }
        let under = b * b - 4.0 * a * c;
        if under < 0.0 {
            // Rounding may hide a sliver of a pixel.
            return None;
        }
        let root = under.sqrt();
        Some(((-b + root) / (2.0 * a), (-b - root) / (2.0 * a)))
    }

    /// The local point seen at `depth` along `direction`.
    #[inline]
    pub(super) fn local_point(&self, direction: &Vector3<f32>, depth: f32) -> Vector3<f32> {
        self.eye + (self.local_from_camera * direction) * depth
    }

    /// Outward normal in local space (not of unit length) at a point of the surface.
    #[inline]
    pub(super) fn local_normal(&self, at: &Vector3<f32>) -> Vector3<f32> {
        match self.shape {
            Shape::Sphere => *at,
            Shape::RoundCone { length, ra, rb } => {
                // The centre of the sphere of the hull that touches here; at the caps the ends themselves.
                let sine = ((ra - rb) / length.max(1e-6)).clamp(-0.999, 0.999);
                let across = (at.x * at.x + at.y * at.y).sqrt();
                let foot = (at.z - across * sine / (1.0 - sine * sine).sqrt()).clamp(0.0, length);
                Vector3::new(at.x, at.y, at.z - foot)
            }
            Shape::Cube => {
                let size = at.abs();
                if size.x > size.y && size.x > size.z {
                    Vector3::new(at.x, 0.0, 0.0)
                } else if size.y > size.z {
                    Vector3::new(0.0, at.y, 0.0)
                } else {
                    Vector3::new(0.0, 0.0, at.z)
                }
            }
        }
    }

    /// Unit normal in the camera frame for a local one.
    #[inline]
    pub(super) fn normal_in_camera(&self, local: &Vector3<f32>) -> Vector3<f32> {
        let normal = self.local_from_camera.tr_mul(local);
        normal * (1.0 / normal.norm().max(1e-12))
    }

    /// Rectangle (x_min, y_min, x_max, y_max) on the z = 1 plane; `None` where nothing is before the camera.
    /// Exact for what lies wholly before it, boundless for what reaches behind.
    pub(super) fn bounds_on_plane(&self) -> Option<[f32; 4]> {
        match self.shape {
            Shape::Sphere => ellipsoid_bounds(&self.camera_from_local, &self.center, 1.0),
            Shape::RoundCone { length, ra, rb } => {
                let end = self.center + self.camera_from_local.column(2) * length;
                let first = ellipsoid_bounds(&self.camera_from_local, &self.center, ra);
                let second = ellipsoid_bounds(&self.camera_from_local, &end, rb);
                match (first, second) {
                    (Some(a), Some(b)) => Some([a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])]),
                    (None, None) => None,
                    _ => Some(BOUNDLESS),
                }
            }
            Shape::Cube => {
                let corners = (0..8).map(|corner| {
                    let sign = |bit: usize| if corner >> bit & 1 == 1 { 1.0 } else { -1.0 };
                    self.center + self.camera_from_local * Vector3::new(sign(0), sign(1), sign(2))
                });
                let mut bounds = [f32::INFINITY, f32::INFINITY, f32::NEG_INFINITY, f32::NEG_INFINITY];
                let (mut before, mut behind) = (0, 0);
                for corner in corners {
                    if corner.z < NEAREST {
                        behind += 1;
                        continue;
                    }
                    before += 1;
                    let (x, y) = (corner.x / corner.z, corner.y / corner.z);
                    bounds = [bounds[0].min(x), bounds[1].min(y), bounds[2].max(x), bounds[3].max(y)];
                }
                match (before, behind) {
                    (0, _) => None,
                    (_, 0) => Some(bounds),
                    _ => Some(BOUNDLESS),
                }
            }
        }
    }
}

const EVERYWHERE: (f32, f32) = (f32::NEG_INFINITY, f32::INFINITY);
const BOUNDLESS: [f32; 4] = [f32::NEG_INFINITY, f32::NEG_INFINITY, f32::INFINITY, f32::INFINITY];

/// Bounds of the ellipsoid `center + radius * axes * unit sphere`: the tangent planes through the camera, from the dual
/// quadric `axes axesᵀ radius² − center centerᵀ`.
fn ellipsoid_bounds(axes: &Matrix3<f32>, center: &Vector3<f32>, radius: f32) -> Option<[f32; 4]> {
    let spread = |row: usize, other: usize| axes.row(row).dot(&axes.row(other)) * radius * radius;
    let reach = spread(2, 2).sqrt();
    if center.z + reach < NEAREST {
        return None;
    }
    if center.z - reach < NEAREST {
        return Some(BOUNDLESS);
    }
    let a = center.z * center.z - spread(2, 2);
    let range = |axis: usize| {
        let half_b = center[axis] * center.z - spread(axis, 2);
        let c = center[axis] * center[axis] - spread(axis, axis);
        let root = (half_b * half_b - a * c).max(0.0).sqrt();
        ((half_b - root) / a, (half_b + root) / a)
    };
    let ((x_min, x_max), (y_min, y_max)) = (range(0), range(1));
    Some([x_min, y_min, x_max, y_max])
}

#[inline]
fn enter_sphere(eye: &Vector3<f32>, ray: &Vector3<f32>) -> Option<f32> {
    let (a, b, c) = (ray.norm_squared(), eye.dot(ray), eye.norm_squared() - 1.0);
    let under = b * b - a * c;
    (under > 0.0).then(|| (-b - under.sqrt()) / a)
}

#[inline]
fn enter_round_cone(eye: &Vector3<f32>, ray: &Vector3<f32>, length: f32, ra: f32, rb: f32) -> Option<f32> {
    let slope = ra - rb;
    let m0 = length * length;
    let m1 = length * eye.z;
    let m2 = length * ray.z;
    let m3 = eye.dot(ray);
    let m5 = eye.norm_squared();
    let m8 = ray.norm_squared();
    let d2 = m0 - slope * slope;
    if d2 > 0.0 {
        let k2 = d2 * m8 - m2 * m2;
        let k1 = d2 * m3 - m1 * m2 + m2 * slope * ra;
        let k0 = d2 * m5 - m1 * m1 + m1 * slope * ra * 2.0 - m0 * ra * ra;
        let under = k1 * k1 - k0 * k2;
        if under < 0.0 {
            return None;
        }
        let t = (-under.sqrt() - k1) / k2;
        let y = m1 - ra * slope + t * m2;
        if y > 0.0 && y < d2 {
            return Some(t);
        }
    }
    let far = eye.z - length;
    let m6 = m3 - length * ray.z;
    let m7 = m5 - eye.z * eye.z + far * far;
    let first = m3 * m3 - m8 * (m5 - ra * ra);
    let second = m6 * m6 - m8 * (m7 - rb * rb);
    let mut t = f32::INFINITY;
    if first > 0.0 {
        t = (-m3 - first.sqrt()) / m8;
    }
    if second > 0.0 {
        t = t.min((-m6 - second.sqrt()) / m8);
    }
    t.is_finite().then_some(t)
}

#[inline]
fn enter_cube(eye: &Vector3<f32>, ray: &Vector3<f32>) -> Option<f32> {
    let (mut enter, mut leave) = (f32::NEG_INFINITY, f32::INFINITY);
    for axis in 0..3 {
        let inverse = 1.0 / ray[axis];
        let (a, b) = ((-1.0 - eye[axis]) * inverse, (1.0 - eye[axis]) * inverse);
        enter = enter.max(a.min(b));
        leave = leave.min(a.max(b));
    }
    (enter <= leave && enter > 0.0).then_some(enter)
}
