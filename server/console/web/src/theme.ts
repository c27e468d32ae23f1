// The theme is the system's, unless the user has chosen one. The choice is all that the page stores in the browser.
export type Theme = "system" | "light" | "dark";

const key = "zkine-console-theme";

export function savedTheme(): Theme {
  try {
    const saved = localStorage.getItem(key);
    return saved === "light" || saved === "dark" ? saved : "system";
  } catch {
    return "system";
  }
}

export function applyTheme(theme: Theme): void {
  if (theme === "system") {
    delete document.documentElement.dataset.theme;
  } else {
    document.documentElement.dataset.theme = theme;
  }
  try {
    localStorage.setItem(key, theme);
  } catch {
    // it lasts as long as the page, then
  }
}
