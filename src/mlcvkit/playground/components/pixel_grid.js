// Small pictures side by side, each of numbers from -127 (blue) over 0 to 127 (red), with a caption; points on top.
// Of more classes than two: 32 times the class, and how sure it is, from 0 to 31.
const BLUE = [47, 111, 179], RED = [200, 60, 40], GREEN = [0, 140, 105], AMBER = [214, 150, 0];
const COLOURS = [BLUE, RED, GREEN, AMBER];

export default {
  template: `
    <div :class="['pixel-grid', {paintable: paint !== undefined && paint !== null}]" role="list" :aria-label="label"
      :style="{'--tile': tile}" @pointerdown="begin" @pointermove="go" @pointerup="end" @pointercancel="end">
      <figure v-for="(picture, i) in pictures" :key="i" role="listitem" :aria-label="picture.caption"
        :class="{marked: picture.mark > 0}" :style="{'--mark': picture.mark || 0}">
        <canvas :width="side" :height="side" aria-hidden="true"></canvas>
        <figcaption aria-hidden="true">{{ picture.short }}</figcaption>
      </figure>
    </div>`,
  props: { label: String, tile: String, first: Array, paint: Number },
  data: () => ({ pictures: [], side: 1 }),
  mounted() {
    if (this.first) this.show(...this.first);
    this.observer = new MutationObserver(() => this.shown && this.show(...this.shown)); // light or dark
    this.observer.observe(document.body, { attributes: true, attributeFilter: ["class"] });
  },
  unmounted() {
    this.observer.disconnect();
  },
  methods: {
    async show(side, encoded, captions, marks, points, classes) {
      this.shown = [side, encoded, captions, marks, points, classes];
      const bytes = new Int8Array(Uint8Array.from(atob(encoded), (c) => c.charCodeAt(0)).buffer);
      this.side = side;
      this.pictures = captions.map(([short, caption], i) => ({ short, caption, mark: marks[i] }));
      await this.$nextTick();
      const dark = document.body.classList.contains("body--dark");
      this.$el.querySelectorAll("canvas").forEach((canvas, i) => {
        const context = canvas.getContext("2d");
        const image = context.createImageData(side, side);
        const zero = dark ? 18 : 250;
        for (let p = 0; p < side * side; p++) {
          const byte = bytes[i * side * side + p];
          const value = classes ? (byte % 32) / 40 : byte / 127;
          const end = classes ? COLOURS[byte >> 5] : value > 0 ? RED : BLUE;
          for (let k = 0; k < 3; k++) image.data[4 * p + k] = zero + Math.abs(value) * (end[k] - zero);
          image.data[4 * p + 3] = 255;
        }
        if (points && points.length) this.drawPoints(canvas, image, points);
        else {
          canvas.width = canvas.height = side; // it may have been enlarged for points
          context.putImageData(image, 0, 0);
        }
      });
    },
    // painting points: a click is one, a stroke is several
    begin(event) {
      if (this.paint === undefined || this.paint === null || event.target.tagName !== "CANVAS") return;
      this.stroke = [];
      event.target.setPointerCapture(event.pointerId);
      this.go(event);
      event.preventDefault();
    },
    go(event) {
      if (!this.stroke) return;
      const box = event.target.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width, y = (event.clientY - box.top) / box.height;
      const last = this.stroke[this.stroke.length - 1];
      if (x < 0 || x > 1 || y < 0 || y > 1 || (last && Math.hypot(x - last[0], y - last[1]) < 0.04)) return;
      this.stroke.push([x, y]);
      const canvas = event.target, scale = canvas.width;
      this.dot(canvas.getContext("2d"), x * scale, y * scale, this.paint, 0);
    },
    end() {
      if (this.stroke && this.stroke.length) this.$emit("painted", this.stroke);
      this.stroke = null;
    },
    dot(context, x, y, kind, heldOut) {
      context.beginPath();
      if (heldOut === 2) { // the sample: a ring around its dot
        context.arc(x, y, 8, 0, 2 * Math.PI);
        context.strokeStyle = "rgb(230,160,0)";
        context.lineWidth = 3;
        return context.stroke();
      }
      context.arc(x, y, 3, 0, 2 * Math.PI);
      context.fillStyle = `rgb(${COLOURS[kind].map((part) => Math.round(0.6 * part))})`; // darker than the plane
      context.strokeStyle = heldOut ? "#111" : "white";
      context.lineWidth = 1;
      context.fill();
      context.stroke();
    },
    async drawPoints(canvas, image, points) {
      const size = 320, scale = size / image.width;
      const small = new OffscreenCanvas(image.width, image.height);
      small.getContext("2d").putImageData(image, 0, 0);
      canvas.width = canvas.height = size;
      const context = canvas.getContext("2d");
      context.imageSmoothingEnabled = true;
      context.drawImage(small, 0, 0, image.width * scale, image.height * scale);
      for (const [x, y, kind, heldOut] of points) this.dot(context, x * size, y * size, kind, heldOut);
    },
  },
};
