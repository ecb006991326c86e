"""Users and groups in the admin, on Unfold's forms instead of Django's own."""

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.db.models import Count, Model, Q, QuerySet
from django.db.transaction import atomic
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from backoffice.frame import is_superuser
from backoffice.model_admin import CarefulAdmin, ListedLookups
from backoffice.stale_pages import Facts
from notifications.display import ago

admin.site.unregister(User)
admin.site.unregister(Group)

# The apps whose permissions a group may be given: no page shows the tables of the others.
ROOMS = ("api", "auth", "channels_app", "notifications", "orders")
# Models of which no permission gives anything: only superusers work with them.
OF_SUPERUSERS = ("group", "permission")
# What only superusers see of a user, and change.
FOR_SUPERUSERS = frozenset({"is_superuser", "groups", "user_permissions"})


class _TitledAdmin(CarefulAdmin, ListedLookups, ModelAdmin):
    """Pages named after what they show, and choices of several as checkboxes."""

    change_form_template: Any = "accounts/change_form.html"
    delete_confirmation_template: Any = "accounts/delete.html"

    @method_decorator(atomic)
    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Asks for confirmation again where another user has changed the object since the page was opened."""
        context = dict(extra_context or {})
        obj = self.get_object(request, unquote(object_id))
        if obj is not None:
            facts = Facts(
                f"{self.opts.label} {obj.pk}", self.get_form(request, obj, change=True)(instance=obj).in_words()
            )
            context |= {"facts": facts, "meanwhile": facts.changes(request.POST), "heading": f"Delete {obj}?"}
            if context["meanwhile"]:
                request.POST = QueryDict()  # no answer to what is asked now
        page: HttpResponse = super().delete_view(request, object_id, context)
        return page

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        title = str(self.opts.verbose_name_plural).capitalize()
        page: HttpResponse = super().changelist_view(
            request, {"title": title, "heading": title, **(extra_context or {})}
        )
        return page

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Model | None = None, **kwargs: Any
    ) -> HttpResponse:
        context["heading"] = str(obj) if obj else f"Add a {self.opts.verbose_name}"
        page: HttpResponse = super().render_change_form(request, context, *args, obj=obj, **kwargs)
        return page

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """Names what is deleted, without the rows that only link it to something else."""
        _, _, forbidden, protected = super().get_deleted_objects(objs, request)
        names = [str(each) for each in objs]
        return names, {str(self.opts.verbose_name_plural).capitalize(): len(names)}, forbidden, protected

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest | None, **kwargs: Any) -> Any:
        """The field without Unfold's menu to add and edit what is chosen: it opens by mouse only."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field and isinstance(field.widget, RelatedFieldWidgetWrapper):
            field.widget = field.widget.widget
        return field

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any) -> Any:
        kwargs["widget"] = UnfoldAdminCheckboxSelectMultipleWidget()
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        field.help_text = ""
        return field


@admin.register(User)
class UserAdmin(_TitledAdmin, DjangoUserAdmin):
    """Users. All permissions of a user come from groups, so that they can be read in one place.

    Superusers and the groups of a user are for superusers to change: other users see no superusers here, and no field
    that grants anything. Nor may they change a user with a permission that they lack: with a password or an e-mail
    address of their choosing they could log in as that user.
    """

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "groups_shown", "is_staff", "is_active", "last_login_shown")
    list_filter = ("is_staff", "is_active", "is_superuser", "groups")
    filter_horizontal = ()
    sortable_by = ()
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("What they may do", {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (
            None,
            {"fields": ("username", "email", "is_staff", "groups", "usable_password", "password1", "password2")},
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        users: QuerySet[User] = super().get_queryset(request).prefetch_related("groups")
        return users if is_superuser(request) else users.filter(is_superuser=False)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return bool(super().has_change_permission(request, obj)) and (obj is None or _may_be(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return bool(super().has_delete_permission(request, obj)) and (obj is None or _may_be(request, obj))

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        hidden = set() if is_superuser(request) else FOR_SUPERUSERS
        if obj is not None and not self.has_change_permission(request, obj):
            hidden = hidden | {"password"}
        return [
            (title, {**options, "fields": tuple(name for name in options["fields"] if name not in hidden)})
            for title, options in super().get_fieldsets(request, obj)
        ]

    def get_list_display(self, request: HttpRequest) -> Any:
        shown = super().get_list_display(request)
        return shown if is_superuser(request) else [name for name in shown if name != "groups_shown"]

    def get_list_filter(self, request: HttpRequest) -> Any:
        filters = super().get_list_filter(request)
        return filters if is_superuser(request) else [name for name in filters if name not in FOR_SUPERUSERS]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """A user who is added here is staff."""
        return {"is_staff": True, **super().get_changeform_initial_data(request)}

    @display(description="Groups")
    def groups_shown(self, user: User) -> str:
        if user.is_superuser:
            return "Superuser: everything"
        return ", ".join(group.name for group in user.groups.all()) or "–"

    @display(description="Last login", ordering="last_login")
    def last_login_shown(self, user: User) -> SafeString | str:
        return ago(user.last_login) if user.last_login else "Never"


@admin.register(Group)
class GroupAdmin(_TitledAdmin, DjangoGroupAdmin):
    """Groups, for superusers alone: a user who changes the permissions of a group may change their own."""

    list_display = ("name", "members")
    filter_horizontal = ()
    sortable_by = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        groups: QuerySet[Group] = super().get_queryset(request)
        return groups.annotate(members=Count("user"))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_superuser(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_superuser(request)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any) -> Any:
        permissions = Permission.objects.filter(content_type__app_label__in=ROOMS).select_related("content_type")
        permissions = permissions.exclude(content_type__app_label="auth", content_type__model__in=OF_SUPERUSERS)
        field = super().formfield_for_manytomany(db_field, request, queryset=permissions, **kwargs)
        field.label_from_instance = _permission_in_words
        return field

    @display(description="Members", ordering="members")
    def members(self, group: Any) -> int:
        return int(group.members)


def _permission_in_words(permission: Permission) -> str:
    """`Orders: view quote`."""
    room = apps.get_app_config(permission.content_type.app_label).verbose_name
    return f"{room}: {permission.name.removeprefix('Can ')}"


def _may_be(request: HttpRequest, other: User) -> bool:
    """Whether the user has all permissions of `other`, so that changing `other`'s password gives them no new one.

    Those of an inactive account count as well: a user who may change it could activate it.
    """
    if is_superuser(request):
        return True
    given = Permission.objects.filter(Q(group__user=other) | Q(user=other))
    names = {f"{app}.{codename}" for app, codename in given.values_list("content_type__app_label", "codename")}
    return not other.is_superuser and names <= request.user.get_all_permissions()
