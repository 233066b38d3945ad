// One slice as a picture: the wheel moves through slices, a click says where it was.
const NOTCH = 60;

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
  let turned = 0;
  let pending = null;
  const turn = (event) => {
    event.preventDefault();
    turned += event.deltaMode === 0 ? event.deltaY : event.deltaY * NOTCH;
    if (pending !== null) return;
    pending = setTimeout(() => {
      pending = null;
      const steps = Math.trunc(turned / NOTCH) || Math.sign(turned);
      turned = 0;
      if (steps) setTriggerValue("turn", steps);
    }, 60);
  };
  picture.addEventListener("wheel", turn, { passive: false });
  return () => {
    clearTimeout(pending);
    picture.removeEventListener("wheel", turn);
  };
}
