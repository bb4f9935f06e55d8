// The 3D view: skeletons in the camera's optical frame (x right, y down, z forward, mm in the data, m here), seen from
// a camera that orbits around the middle of everybody. Drag turns, the wheel zooms, the slider is the time.
// The address may name a view: #image=12&yaw=40&pitch=20&zoom=1.5
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("scene").textContent);
  const canvas = document.getElementById("view");
  const slider = document.getElementById("slider");
  const play = document.getElementById("play");
  const label = document.getElementById("when");
  const shows = { estimate: document.getElementById("show-estimate"), truth: document.getElementById("show-truth") };
  const colours = { estimate: "#d55e00", truth: "#0072b2" };
  const degree = Math.PI / 180;
  const start = { yaw: 35 * degree, pitch: 18 * degree, zoom: 1 };
  let view = { ...start }, shown = 0, playing = false, drag = null, before = 0, clock = 0;

  // Middle and size of everything, and the floor: the lowest 2 % of the points (y points down).
  const points = data.images.flatMap((image) => image.people.flatMap((person) => person.joints.filter(Boolean)));
  const quantile = (axis, share) => {
    const sorted = points.map((point) => point[axis] / 1000).sort((a, b) => a - b);
    return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] : 0;
  };
  const ends = [0, 1, 2].map((axis) => [quantile(axis, 0.02), quantile(axis, 0.98)]);
  const middle = ends.map(([low, high]) => (low + high) / 2);
  const size = Math.max(1.5, ...ends.map(([low, high]) => high - low));
  const floor = ends[1][1];

  // From the camera's frame to px on the canvas; null behind the eye.
  const project = (point) => {
    const [x, y, z] = point.map((value, axis) => value - middle[axis]);
    const cy = Math.cos(view.yaw), sy = Math.sin(view.yaw), cp = Math.cos(view.pitch), sp = Math.sin(view.pitch);
    const u = cy * x + sy * z, w = -sy * x + cy * z;
    const v = cp * y + sp * w, depth = -sp * y + cp * w + 2.2 * size / view.zoom;
    if (depth < 0.05) return null;
    const scale = 1.5 * Math.min(canvas.width, canvas.height) / depth;
    return [canvas.width / 2 + scale * u, canvas.height / 2 + scale * v];
  };
  const context = canvas.getContext("2d");
  const line = (a, b, colour, width, opacity) => {
    const p = project(a), q = project(b);
    if (!p || !q) return;
    context.globalAlpha = opacity;
    context.strokeStyle = colour;
    context.lineWidth = width * devicePixelRatio;
    context.beginPath();
    context.moveTo(...p);
    context.lineTo(...q);
    context.stroke();
  };

  const dot = (at, colour) => {
    const p = project(at);
    if (!p) return;
    context.globalAlpha = 1;
    context.fillStyle = colour;
    context.beginPath();
    context.arc(...p, 3.5 * devicePixelRatio, 0, 2 * Math.PI);
    context.fill();
  };

  const draw = () => {
    canvas.width = canvas.clientWidth * devicePixelRatio;
    canvas.height = canvas.clientHeight * devicePixelRatio;
    context.lineCap = "round";
    const [left, right] = ends[0].map(Math.round), [near, far] = ends[2].map(Math.round);
    for (let x = left - 1; x <= right + 1; x++) line([x, floor, near - 1], [x, floor, far + 1], "#98a2ad", 1, 0.5);
    for (let z = near - 1; z <= far + 1; z++) line([left - 1, floor, z], [right + 1, floor, z], "#98a2ad", 1, 0.5);
    // The recording camera, looking along z.
    const corners = [[-0.2, -0.15, 0.35], [0.2, -0.15, 0.35], [0.2, 0.15, 0.35], [-0.2, 0.15, 0.35]];
    corners.forEach((corner, index) => {
      line([0, 0, 0], corner, "#1d2126", 1, 0.8);
      line(corner, corners[(index + 1) % 4], "#1d2126", 1, 0.8);
    });
    const image = data.images[shown];
    if (image) {
      for (const person of image.people) {
        if (!shows[person.kind].checked) continue;
        const joints = person.joints.map((joint) => joint && joint.map((value) => value / 1000));
        for (const [a, b] of data.bones) if (joints[a] && joints[b]) line(joints[a], joints[b], colours[person.kind], 3, 0.9);
        // A truth without pelvis or neck: the trunk is drawn around them.
        const trunk = [[1, 4, !joints[0]], [11, 14, !joints[8]], [4, 11, !joints[7]], [1, 14, !joints[7]]];
        for (const [a, b, needed] of trunk) if (needed && joints[a] && joints[b]) line(joints[a], joints[b], colours[person.kind], 2, 0.5);
        for (const joint of joints) if (joint) dot(joint, colours[person.kind]);
        const top = joints[10] || joints.find(Boolean), at = top && project([top[0], top[1] - 0.15, top[2]]);
        if (at) {
          context.globalAlpha = 1;
          context.fillStyle = colours[person.kind];
          context.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
          context.fillText(person.name, ...at);
        }
      }
      label.textContent = `image ${image.index}, ${image.seconds.toFixed(2)} s`;
    }
    context.globalAlpha = 1;
    slider.value = shown;
  };

  const step = (now) => {
    if (!playing) return;
    clock += Math.min(0.2, (now - before) / 1000);
    before = now;
    // In real time: the next image when its time has come.
    const first = data.images[0].seconds;
    while (shown + 1 < data.images.length && data.images[shown + 1].seconds - first <= clock) shown++;
    if (shown + 1 >= data.images.length) { shown = 0; clock = 0; }
    draw();
    requestAnimationFrame(step);
  };
  play.addEventListener("click", () => {
    playing = !playing && data.images.length > 1;
    play.textContent = playing ? "Pause" : "Play";
    if (!playing) return;
    clock = data.images[shown].seconds - data.images[0].seconds;
    before = performance.now();
    requestAnimationFrame(step);
  });
  slider.max = Math.max(0, data.images.length - 1);
  slider.addEventListener("input", () => {
    shown = Number(slider.value);
    clock = data.images.length ? data.images[shown].seconds - data.images[0].seconds : 0;
    draw();
  });
  Object.values(shows).forEach((box) => box.addEventListener("change", draw));
  document.getElementById("reset").addEventListener("click", () => { view = { ...start }; draw(); });
  canvas.addEventListener("pointerdown", (event) => { drag = event; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) return;
    view.yaw += (event.clientX - drag.clientX) * 0.008;
    view.pitch = Math.max(-1.5, Math.min(1.5, view.pitch + (event.clientY - drag.clientY) * 0.008));
    drag = event;
    draw();
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { drag = null; });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    view.zoom = Math.max(0.3, Math.min(6, view.zoom * Math.exp(-event.deltaY * 0.001)));
    draw();
  }, { passive: false });
  addEventListener("resize", draw);
  const asked = new URLSearchParams(location.hash.slice(1));
  const number = (key, otherwise) => (Number.isFinite(parseFloat(asked.get(key))) ? parseFloat(asked.get(key)) : otherwise);
  // Without a wish the first image with somebody in it.
  const index = data.images.findIndex((image) =>
    asked.has("image") ? image.index >= number("image", 0) : image.people.length > 0);
  shown = Math.max(0, index);
  view = { yaw: number("yaw", 35) * degree, pitch: number("pitch", 18) * degree, zoom: number("zoom", 1) };
  draw();
})();
