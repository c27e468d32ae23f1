import { render } from "preact";
import { App } from "./app";
import { applyTheme, savedTheme } from "./theme";
import "uplot/dist/uPlot.min.css";
import "./style.css";

applyTheme(savedTheme());
render(<App />, document.getElementById("app")!);
