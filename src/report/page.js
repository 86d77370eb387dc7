'use strict';
document.documentElement.classList.add('js');

for (const box of document.querySelectorAll('.compare:not(.alone)')) {
  const range = box.querySelector('input');
  range.addEventListener('input', () => box.style.setProperty('--at', range.value + '%'));
}

/* On paper what is folded is open, but not lists of every image. */
addEventListener('beforeprint', () => {
  for (const fold of document.querySelectorAll('details:not(.list):not([open])')) {
    fold.open = true;
    fold.classList.add('for-paper');
  }
});
addEventListener('afterprint', () => {
  for (const fold of document.querySelectorAll('.for-paper')) {
    fold.open = false;
    fold.classList.remove('for-paper');
  }
});

for (const plane of document.querySelectorAll('.plane')) {
  const svg = plane.querySelector(':scope > svg');
  const tip = plane.querySelector('.tip');
  const atlas = plane.querySelector('.atlas');
  const names = JSON.parse(plane.querySelector('script').textContent);
  const groups = [...svg.querySelectorAll('.points')];
  const marks = new Map([...svg.querySelectorAll('[data-i]')].map(m => [+m.dataset.i, m]));
  let current = -1;

  const thumbnail = i => {
    const tile = +atlas.dataset.tile, columns = +atlas.dataset.columns, zoom = 112 / tile;
    const box = document.createElement('i');
    box.style.width = box.style.height = '112px';
    box.style.backgroundImage = `url(${atlas.src})`;
    box.style.backgroundSize = `${columns * tile * zoom}px auto`;
    box.style.backgroundPosition =
      `${-(i % columns) * 112}px ${-Math.floor(i / columns) * 112}px`;
    return box;
  };

  const leave = () => {
    marks.get(current)?.classList.remove('on');
    current = -1;
    tip.hidden = true;
  };

  const show = i => {
    leave();
    current = i;
    const mark = marks.get(i);
    mark.classList.add('on');
    tip.replaceChildren(...(atlas ? [thumbnail(i)] : []), names[i]);
    tip.hidden = false;
    const frame = plane.getBoundingClientRect(), at = mark.getBoundingClientRect();
    const x = at.left - frame.left + 14, y = at.top - frame.top + 14;
    tip.style.left = Math.max(0, Math.min(x, frame.width - tip.offsetWidth)) + 'px';
    tip.style.top = (y + tip.offsetHeight > frame.height ? y - tip.offsetHeight - 24 : y) + 'px';
  };

  svg.addEventListener('pointerover', event => {
    const mark = event.target.closest('[data-i]');
    if (mark) show(+mark.dataset.i);
  });
  svg.addEventListener('pointerleave', leave);
  svg.addEventListener('blur', leave);
  svg.addEventListener('keydown', event => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.key === 'Escape') leave();
    if (!step) return;
    event.preventDefault();
    const shown = [...marks].filter(([, m]) => !m.parentNode.classList.contains('off'));
    if (!shown.length) return;
    const order = shown.map(([i]) => i), at = order.indexOf(current);
    show(order[at < 0 ? 0 : (at + step + order.length) % order.length]);
  });

  plane.querySelectorAll('.legend button').forEach((button, g) =>
    button.addEventListener('click', () => {
      const off = groups[g].classList.toggle('off');
      button.setAttribute('aria-pressed', String(!off));
      leave();
    }));
}
