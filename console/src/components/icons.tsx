/** Drawn here rather than fetched: no icon font, no outside request. */
const icon = (d: string) =>
  function Icon() {
    return (
      <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
        <path d={d} />
      </svg>
    );
  };

export const SearchIcon = icon("M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16.200 16.200 21 21");
export const ReadIcon = icon("M20 12a8 8 0 1 1-2.500-5.800M20 3v5h-5");
export const WriteIcon = icon("M4 20l1-4L16 5l3 3L8 19zM14 7l3 3");
export const RunIcon = icon("M7 4.500v15l12-7.500z");
export const EyeIcon = icon("M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z");
export const SlidersIcon = icon("M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4");
export const TrashIcon = icon("M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v6M14 11v6");
export const PlusIcon = icon("M12 5v14M5 12h14");
export const CloseIcon = icon("M6 6l12 12M18 6L6 18");
export const CopyIcon = icon("M9 9h11v11H9zM5 15H4V4h11v1");
export const SunIcon = icon("M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.500 1.500M17.500 17.500 19 19M19 5l-1.500 1.500M6.500 17.500 5 19");
export const MoonIcon = icon("M20 14.500A8.500 8.500 0 0 1 9.500 4 8.500 8.500 0 1 0 20 14.500z");
export const AutoIcon = icon("M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 3v18M12 8h8M12 12h9M12 16h8");
export const PauseIcon = icon("M8 5v14M16 5v14");
export const WarnIcon = icon("M12 3 2 20h20zM12 10v4M12 17v.5");
