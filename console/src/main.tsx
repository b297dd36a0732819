import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./style/base.css";
import "./style/controls.css";
import "./style/devices.css";
import "./style/device.css";
import "./style/credentials.css";
import { App } from "./app.tsx";

const root = document.getElementById("app");
if (root) render(<App />, root);
