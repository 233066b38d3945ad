// One slice as a picture: the wheel moves through slices, a click says where it was.
const NOTCH = 60;
const PAUSE = 60;
const waiting = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  const picture = parentElement.querySelector("img");
  picture.src = data.src;
  picture.alt = data.alt;
  picture.style.maxHeight = data.tallest;
  picture.onclick = (event) => {
    const box = picture.getBoundingClientRect();
    const scale = Math.min(box.width / picture.naturalWidth, box.height / picture.naturalHeight);
    const part = (place, start, length, natural) => 0.5 + (place - start - length / 2) / (natural * scale);
    const down = part(event.clientY, box.top, box.height, picture.naturalHeight);
    const across = part(event.clientX, box.left, box.width, picture.naturalWidth);
    if (Math.min(down, across) >= 0 && Math.max(down, across) <= 1) setTriggerValue("point", [down, across]);
  };
  picture.onwheel = (event) => {
    event.preventDefault();
    const turned = event.deltaMode === 0 ? event.deltaY : event.deltaY * NOTCH;
    if (waiting.has(picture)) {
      waiting.set(picture, waiting.get(picture) + turned);
      return;
    }
    waiting.set(picture, turned);
    setTimeout(() => {
      const all = waiting.get(picture);
      waiting.delete(picture);
      const steps = Math.trunc(all / NOTCH) || Math.sign(all);
      if (steps) setTriggerValue("turn", steps);
    }, PAUSE);
  };
}
