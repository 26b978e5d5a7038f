// Before the page is drawn: the theme chosen, or none, and then the system's holds.
(() => {
  const key = 'bintrail-theme';
  const order = ['system', 'light', 'dark'];
  const read = () => {
    try { return order.includes(localStorage.getItem(key)) ? localStorage.getItem(key) : 'system'; } catch { return 'system'; }
  };
  let theme = read();
  const root = document.documentElement;
  const apply = () => {
    if (theme === 'system') root.removeAttribute('data-theme');
    else root.setAttribute('data-theme', theme);
    const button = document.getElementById('theme');
    if (button) button.textContent = `Theme: ${theme}`;
  };
  apply();
  document.addEventListener('DOMContentLoaded', () => {
    apply();
    document.getElementById('theme')?.addEventListener('click', () => {
      theme = order[(order.indexOf(theme) + 1) % order.length];
      try { localStorage.setItem(key, theme); } catch { /* it holds for this page then */ }
      apply();
    });
  });
})();
